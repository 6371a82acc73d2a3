# gateway-stream.gp - plots the results of streams.py
# gnuplot -e "dir='build'" t/bench/gateway-stream.gp
set datafile separator ","
set datafile columnheaders
set terminal svg size 800,480 noenhanced font "sans,13" \
	background "white"
set grid ytics lc rgb "#dddddd"
set border 3
set tics nomirror
set output dir."/gateway-stream.svg"
set title "Large bodies through a CGI gateway"
set ylabel "MB/s"
set yrange [0:*]
set xrange [-0.6:3.6]
set key outside center top horizontal
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.9
table = "< grep -e ^contestant -e "
plot table."'^fcgipm' ".dir."/gateway-stream.csv" \
		using (column("mb_per_s")):xtic(2) lc rgb "#3465a4" \
		title "fcgipm", \
	table."'^fcgiwrap' ".dir."/gateway-stream.csv" \
		using (column("mb_per_s")) lc rgb "#cc0000" title "fcgiwrap -c 2"
