# gateway.gp - plots the results of gateway.py
# gnuplot -e "dir='build'" t/bench/gateway.gp
set datafile separator ","
set datafile columnheaders
set terminal svg size 800,480 noenhanced font "sans,13" \
	background "white"
set grid xtics lc rgb "#dddddd"
set border 3
set tics nomirror
set output dir."/gateway-cpu.svg"
set title "CPU of one request for a C program, 8 connections"
set xlabel "microseconds"
set xrange [0:*]
set yrange [*:*] reverse
set style fill solid 0.9
set key off
eight = "< grep -e ^contestant -e '^[^,]*,8,' ".dir."/gateway.csv"
plot eight using (column("cpu_us") / 2):0:(column("cpu_us") / 2):(0.35) \
		:ytic(1) with boxxyerror lc rgb "#3465a4", \
	eight using (column("cpu_us")):0:(column("cpu_us_lowest")) \
		:(column("cpu_us_highest")) with xerrorbars pt 7 ps 0.3 \
		lc rgb "#2e3436", \
	eight using (column("cpu_us_highest")):0 \
		:(sprintf("%.0f", column("cpu_us"))) \
		with labels left offset 1,0 font ",11"
