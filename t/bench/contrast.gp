# contrast.gp - plots the results of contrast.py
# gnuplot -e "dir='build'" t/bench/contrast.gp
set datafile separator ","
set datafile columnheaders
set terminal svg size 800,480 font "sans,13" background "white"
set grid ytics lc rgb "#dddddd"
set border 3
set tics nomirror

table = dir."/contrast.csv"
curves = dir."/contrast-latency.csv"

# One position on the x axis for each handler and mode; both routes side by
# side.
at(h, m) = (h eq "hello" ? 0 : 2) + (m eq "prefork" ? 1 : 0)

set output dir."/contrast-throughput.svg"
set title "Requests per second, 8 connections (logarithmic)"
set ylabel "requests/s"
set logscale y
set yrange [1:*]
set xrange [-0.6:3.6]
set key outside center top horizontal
set style fill solid 0.9
set boxwidth 0.34
set xtics ("C, cgi" 0, "C, prefork" 1, "Perl, cgi" 2, "Perl, prefork" 3)
plot table using (strcol("route") eq "direct" ? \
		at(strcol("handler"), strcol("mode")) - 0.18 : NaN) \
		:(column("req_per_s")) with boxes lc rgb "#3465a4" \
		title "direct", \
	table using (strcol("route") eq "nginx" ? \
		at(strcol("handler"), strcol("mode")) + 0.18 : NaN) \
		:(column("req_per_s")) with boxes lc rgb "#73a946" \
		title "through nginx", \
	table using (at(strcol("handler"), strcol("mode")) + \
		(strcol("route") eq "direct" ? -0.18 : 0.18)) \
		:(column("req_per_s")) \
		:(sprintf("%.0f", column("req_per_s"))) \
		with labels offset 0,0.6 font ",11" notitle

# Both axes are logarithmic: how many of a hundred requests are slower than
# this.
set output dir."/contrast-latency.svg"
set title "Latency through nginx, 8 connections"
set ylabel "milliseconds"
set xlabel "percentile"
unset logscale
set logscale xy
set xrange [100:0.1]
set yrange [*:*]
set xtics ("0" 100, "50" 50, "90" 10, "95" 5, "99" 1, "99.9" 0.1)
set key outside center top horizontal
shown(h, m) = strcol("handler") eq h && strcol("mode") eq m ? \
	column("us") / 1000 : NaN
rest(p) = 100 - p
plot curves using (rest(column("percentile"))):(shown("hello.pl", "cgi")) \
		with linespoints lw 2 pt 7 ps 0.4 lc rgb "#cc0000" \
		title "Perl, cgi", \
	curves using (rest(column("percentile"))):(shown("hello.pl", "prefork")) \
		with linespoints lw 2 pt 7 ps 0.4 lc rgb "#f57900" \
		title "Perl, prefork", \
	curves using (rest(column("percentile"))):(shown("hello", "cgi")) \
		with linespoints lw 2 pt 7 ps 0.4 lc rgb "#3465a4" \
		title "C, cgi", \
	curves using (rest(column("percentile"))):(shown("hello", "prefork")) \
		with linespoints lw 2 pt 7 ps 0.4 lc rgb "#73a946" \
		title "C, prefork"
