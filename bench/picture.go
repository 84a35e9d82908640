package main

import (
	"fmt"
	"html"
	"strings"
)

// Measures of the picture, in its own units.
const (
	rowHeight, barHeight = 26, 14
	barsBegin, barsEnd   = 290, 760
	pictureWidth         = 830
)

// picture is the figures as bars. It follows the reader's light or dark setting.
func (f *field) picture() string {
	most := 0.0
	for _, c := range f.all {
		most = max(most, median(c.costs))
	}
	height := rowHeight*len(f.all) + 24
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="Microseconds of CPU time a request">
<style>
text { font: 13px system-ui, sans-serif; fill: #1a1d1f }
.bar { fill: #9fb6c6 } .ours { fill: #1f5f8b } .back { fill: #ffffff }
@media (prefers-color-scheme: dark) { text { fill: #e6e8ea } .bar { fill: #4b5d69 } .ours { fill: #7db8e0 } .back { fill: #15181a } }
</style>
<rect class="back" width="100%%" height="100%%"/>
`, pictureWidth, height, pictureWidth, height)
	for n, c := range f.all {
		cost := median(c.costs)
		y := 12 + n*rowHeight
		class := "bar"
		if c.ours {
			class = "ours"
		}
		width := (barsEnd - barsBegin) * cost / most
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text><rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/><text x="%.1f" y="%d">%.1f µs</text>`+"\n",
			barsBegin-10, y+13, html.EscapeString(c.name), class, barsBegin, y+2, width, barHeight, barsBegin+width+8, y+13, cost)
	}
	b.WriteString("</svg>\n")
	return b.String()
}
