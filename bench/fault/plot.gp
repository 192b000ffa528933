# SPDX-License-Identifier: MIT
# gnuplot -e "folder='build/bench/fault'" bench/fault/plot.gp  Draws what bench/fault/run has left there.
set terminal svg size 900,640 font "sans,12" background "white"
set output folder."/fault.svg"
set multiplot layout 2,2
set style fill solid 0.6
set boxwidth 0.7
set grid ytics
set xtics rotate by -25
unset key
has(part) = int(system("test -s ".folder."/".part.".dat && echo 1 || echo 0"))

if (has("stalls")) {
	set title "GPU stalls, of 512 granules touched"
	set yrange [0:*]
	plot folder."/stalls.dat" using 2:xtic(1) with boxes lc rgb "#4060a0", \
	     "" using 0:2:2 with labels offset 0,0.7
}

if (has("rates")) {
	set title "POPULATE / bare copy"
	set yrange [0:1.2]
	plot folder."/rates.dat" using 2:xtic(1) with boxes lc rgb "#40a060", \
	     "" using 0:2:2 with labels offset 0,0.7
}

if (has("counts")) {
	set title "kernel instructions for each MiB made resident, millions"
	set yrange [0:*]
	plot folder."/counts.dat" using 2:xtic(1) with boxes lc rgb "#a06040", \
	     "" using 0:2:2 with labels offset 0,0.7
}

if (has("first")) {
	set title "from MAP to the first result, ms"
	set yrange [0:*]
	plot folder."/first.dat" using 2:xtic(1) with boxes lc rgb "#806090", \
	     "" using 0:2:2 with labels offset 0,0.7
}

unset multiplot
