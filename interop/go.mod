// Tests with real clients, unchanged. A module of its own, so that nobody else pays for them.
module ostiary/interop

go 1.26.0

require github.com/circonus-labs/go-apiclient v0.7.24

require (
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/hashicorp/go-retryablehttp v0.7.5 // indirect
	github.com/pkg/errors v0.9.1 // indirect
)
