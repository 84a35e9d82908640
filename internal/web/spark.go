package web

import (
	"fmt"
	"html/template"
	"strings"
)

// The picture of a week has a bar for each six hours.
const (
	sparkBars   = 28
	sparkHeight = 28
	sparkStep   = 6
)

// spark draws a week of requests, hour by hour, as bars. What it shows is said in words too.
func spark(hours [168]uint64) template.HTML {
	var bars [sparkBars]uint64
	for i, n := range hours {
		bars[i*sparkBars/len(hours)] += n
	}
	all, most := week(hours), uint64(0)
	for _, n := range bars {
		most = max(most, n)
	}
	if all == 0 {
		return `<span class="spark none">No requests in the last 7 days</span>`
	}
	var some, none strings.Builder
	for i, n := range bars {
		if n == 0 {
			fmt.Fprintf(&none, "M%d %dh4v1h-4z", i*sparkStep, sparkHeight-1)
			continue
		}
		height := max(3, int(n*sparkHeight/most))
		fmt.Fprintf(&some, "M%d %dh4v%dh-4z", i*sparkStep, sparkHeight-height, height)
	}
	return template.HTML(fmt.Sprintf(`<svg class="spark" viewBox="0 0 %d %d" role="img" aria-label="%s in the last 7 days">`+
		`<path d="%s"/><path class="none" d="%s"/></svg>`,
		sparkBars*sparkStep-2, sparkHeight, plural(all, "request"), &some, &none))
}

// week is how many requests the hours add up to.
func week(hours [168]uint64) (all uint64) {
	for _, n := range hours {
		all += n
	}
	return all
}
