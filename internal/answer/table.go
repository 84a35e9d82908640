package answer

import "ostiary"

// pause is what Retry-After says, in seconds: a node that starts or falls behind is back in that
// time, and so is a rate limit.
const pause = 1

const unavailable = "Unavailable"

// row is the table (contract 3.2).
func row(reason ostiary.Reason) Answer {
	a := Answer{Reason: reason}
	a.Status, a.Code, a.Message, a.Explanation = text(reason)
	if a.Status == 503 || a.Status == 429 {
		a.RetryAfter = pause
	}
	return a
}

func text(reason ostiary.Reason) (status int, code, message, explanation string) {
	switch reason {
	case ostiary.OK:
		return 200, "OK", "let through", "The request may go on."
	case ostiary.NoToken:
		return 401, "Unauthorized.MissingToken", "missing authentication token",
			"Send a token with the name of the application: as X-Circonus-Auth-Token and X-Circonus-App-Name, " +
				"or as password and user name of HTTP Basic."
	case ostiary.BadToken:
		return 401, "Unauthorized.BadToken", "invalid authentication token",
			"The authentication token you supplied is invalid."
	case ostiary.WrongAccount:
		return 403, "Forbidden.Account", "the token belongs to another account",
			"X-Circonus-Account-ID must name the token's own account, or be left out."
	case ostiary.NoAppName:
		return 401, "Unauthorized.BadAppName", "missing application name",
			"Send the name of the application with the token: as X-Circonus-App-Name, " +
				"or as user name of HTTP Basic."
	case ostiary.BadAppName:
		return 401, "Unauthorized.BadAppName", "malformed application name",
			"An application name has 1 to 100 printable ASCII characters, no comma, and no space at either end."
	case ostiary.PendingApp:
		return 401, "Unauthorized.PendingApp", "invalid api application",
			"The application waits for approval."
	case ostiary.DeniedApp:
		return 403, "Forbidden.BadApp", "App not allowed",
			"The application is denied for this token. A person who may change the token can allow it."
	case ostiary.WrongNetwork:
		return 403, "Forbidden.Network", "the token may not be used from this address",
			"The caller's address is not on the token's list of networks."
	case ostiary.TooMany:
		return 429, "TooManyRequests", "too many requests with this token",
			"Wait for the time in Retry-After, then send the request again."
	}
	return laterText(reason)
}

// laterText is the part of the table for what is refused once the credential is known.
func laterText(reason ostiary.Reason) (status int, code, message, explanation string) {
	switch reason {
	case ostiary.NoRoute:
		return 404, "NotFound", "nothing is served at this path", "Look the path up in the reference."
	case ostiary.WrongMethod:
		return 405, "MethodNotAllowed", "this path does not serve the method",
			"Allow lists the methods that it serves."
	case ostiary.UnclearPath:
		return 403, "Forbidden.Path", "the path could mean two things",
			"Send the path without empty or dot segments, \\, ; and encoded slashes, dots, % or zero bytes."
	case ostiary.LowRole:
		return 403, "Forbidden.Privilege", "the role is too low for this",
			"A token can use its privilege, and never more than its owner's role on the account."
	case ostiary.Self:
		return 403, "Forbidden.Self", "a token may not do this to itself",
			"Use another token, or the pages. A token may retire itself."
	case ostiary.CrossSite:
		return 403, "Forbidden.CrossSite", "another site's page sent this request",
			"The API does not serve pages of other sites in a browser."
	case ostiary.Hidden:
		return 404, "ObjectError.InstanceNotFound", "no such object",
			"The object does not exist, or belongs to another account, or may not be seen."
	case ostiary.BadValue:
		return 400, "InvalidValue", "a value is not valid", "Correct the value, then send the request again."
	case ostiary.TooLarge:
		return 413, "TooLarge", "the request is too large", "A request body has at most 64 KiB."
	case ostiary.Conflict:
		return 409, "Conflict", "this cannot be done in the present state",
			"Read the object again, and decide anew."
	case ostiary.WrongPassword:
		return 401, "Unauthorized.Password", "wrong e-mail address or password",
			"Only the pages ask for a password. Whoever runs the server can set a new one."
	case ostiary.NoUpstream:
		return 502, "BadGateway", "the API behind the door does not answer",
			"The request was let through. The API could not be reached, or broke off."
	case ostiary.SlowUpstream:
		return 504, "GatewayTimeout", "the API behind the door does not answer in time",
			"The request was let through. The API may have received it."
	}
	// Unavailable, and whatever has no row: we cannot decide.
	return 503, unavailable, "temporarily unavailable",
		"This says nothing about the token or the application. " +
			"Send the request again after the time in Retry-After."
}
