package gate

import "github.com/valyala/fasthttp"

// Handle answers a request that was read already.
func (f *Fast) Handle(ctx *fasthttp.RequestCtx) { f.serve(ctx) }
