package browser_test

import (
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
)

// Excuse names what the console may say from now on, such as the status of a page that is refused.
func (p *Person) Excuse(texts ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.excused = append(p.excused, texts...)
}

// hearConsole keeps errors and warnings: of scripts, of the network, and of the content policy.
func (p *Person) hearConsole(event any) {
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			p.note(fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *runtime.EventExceptionThrown:
		p.note("exception: " + e.ExceptionDetails.Text + " " + describe(e.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		var said []string
		for _, a := range e.Args {
			said = append(said, describe(a))
		}
		p.note(fmt.Sprintf("%s: %s", e.Type, strings.Join(said, " ")))
	}
}

func (p *Person) note(text string) {
	for _, x := range p.excused {
		if strings.Contains(text, x) {
			return
		}
	}
	p.console = append(p.console, text)
}

func describe(o *runtime.RemoteObject) string {
	if o == nil {
		return ""
	}
	if o.Description != "" {
		return o.Description
	}
	return string(o.Value)
}
