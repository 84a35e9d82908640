package api

import "ostiary"

// Routes are everything that the API serves. Paths under /v2 that are plain are served without it
// too. A change of the account needs Admin (contract 3.3); for the rest ostiary.Need speaks.
func routes() []route {
	return []route{
		{
			method: "GET", path: "/v2/api/json/list_accounts", plain: true, gives: "ListedAccount",
			says: "Lists accounts as the first API did.", do: listed,
		},
		{
			method: "POST", path: "/v2/api/json/list_accounts", plain: true, asks: true, gives: "ListedAccount",
			says: "Lists accounts as the first API did. The body is not read.", do: listed,
		},

		{
			method: "GET", path: "/v2/account", plain: true, gives: "Account", list: true,
			says: "Lists the accounts that the token can see: its own.", do: list(accounts, encodeAccount),
		},
		{
			method: "POST", path: "/v2/account", operator: true, takes: "NewAccount", gives: "Account",
			says: "Makes an account.", do: change(decodeNewAccount, makeAccount, encodeAccount),
		},
		{
			method: "GET", path: "/v2/account/{account}", plain: true, gives: "Account",
			says: "Shows an account; current is the token's own.", do: show(account, encodeAccount),
		},
		{
			method: "PUT", path: "/v2/account/{account}", plain: true, need: ostiary.Admin,
			takes: "AccountChange", gives: "Account", early: maySetAccount,
			says: "Changes an account, its members' roles and its invitations.",
			do:   change(decodeAccount, setAccount, encodeAccount),
		},

		{
			method: "GET", path: "/v2/user", plain: true, gives: "User", list: true,
			says: "Lists the members of the account.", do: list(users, encodeUser),
		},
		{
			method: "POST", path: "/v2/user", operator: true, takes: "NewUser", gives: "User",
			says: "Makes a user, and a member where a role is given.",
			do:   change(decodeNewUser, makeUser, encodeUser),
		},
		{
			method: "GET", path: "/v2/user/{user}", plain: true, gives: "User",
			says: "Shows a member of the account; current is the token's owner.",
			do:   show(user, encodeUser),
		},
		{
			method: "PUT", path: "/v2/user/{user}", plain: true, takes: "UserChange", gives: "User", early: maySetUser,
			says: "Changes one's own names and contacts.", do: change(decodeUser, setUser, encodeUser),
		},
		{
			method: "POST", path: "/v2/user/{user}/disable", operator: true, gives: "User",
			says: "Stops a user's login and user tokens.", do: change(nothing, disableUser, encodeUser),
		},
		{
			method: "POST", path: "/v2/user/{user}/enable", operator: true, gives: "User",
			says: "Lets a disabled user's login and user tokens work again.",
			do:   change(nothing, enableUser, encodeUser),
		},
		{
			method: "POST", path: "/v2/user/{user}/reset", operator: true, takes: "Password", gives: "User",
			says: "Sets a user's password.", do: change(decodePassword, resetUser, encodeUser),
		},
		{
			method: "POST", path: "/v2/invite/link", operator: true, takes: "Email", gives: "Invited",
			says: "Makes a new link for an invitation; the old one ends.",
			do:   change(decodeEmail, newLink, encodeInvited),
		},

		{
			method: "GET", path: "/v2/token", gives: "Token", list: true,
			says: "Lists the tokens that the caller can see, retired ones too.",
			do:   list(tokens, encodeToken),
		},
		{
			method: "POST", path: "/v2/token", takes: "NewToken", gives: "MadeToken",
			says: "Makes a token. Its secret is in this answer alone.",
			do:   change(decodeNew, makeToken, encodeMade),
		},
		{
			method: "POST", path: "/v2/token/which", asks: true, takes: "Secret", gives: "Token",
			says: "Names the token that a secret belongs to.", do: ask(decodeSecret, which, encodeToken),
		},
		{
			method: "GET", path: "/v2/token/{token}", gives: "Token",
			says: "Shows a token.", do: show(token, encodeToken),
		},
		{
			method: "PUT", path: "/v2/token/{token}", takes: "TokenChange", gives: "Token", early: maySetToken,
			says: "Changes a token.", do: change(decodePatch, setToken, encodeToken),
		},
		{
			method: "DELETE", path: "/v2/token/{token}", gives: "RetiredToken",
			says: "Retires a token for good.", do: change(nothing, retire, encodeRetired),
		},
		{
			method: "POST", path: "/v2/token/{token}/promote", takes: "Promotion", gives: "Token", early: maySeeToken,
			says: "Makes a user token an account token. There is no way back.",
			do:   change(decodePromotion, promote, encodeToken),
		},

		{
			method: "GET", path: "/v2/app", gives: "App", list: true,
			says: "Lists the applications of every token that the caller can see.",
			do:   list(allApps, encodeApp),
		},
		{
			method: "GET", path: "/v2/token/{token}/app", gives: "App", list: true,
			says: "Lists a token's applications.", do: list(apps, encodeApp),
		},
		{
			method: "POST", path: "/v2/token/{token}/app", takes: "NewApp", gives: "App", early: mayDecide,
			says: "Allows or denies an application by name, also before it turns up.",
			do:   change(decodeName, decideName, encodeApp),
		},
		{
			method: "GET", path: "/v2/token/{token}/app/{app}", gives: "App",
			says: "Shows an application.", do: show(app, encodeApp),
		},
		{
			method: "PUT", path: "/v2/token/{token}/app/{app}", takes: "AppChange", gives: "App", early: mayDecide,
			says: "Allows or denies an application.", do: change(decodeState, decideApp, encodeApp),
		},
		{
			method: "DELETE", path: "/v2/token/{token}/app/{app}", gives: "ForgottenApp",
			says: "Forgets an application: its next request is a first contact again.",
			do:   change(nothing, forgetApp, encodeForgotten),
		},

		{
			method: "GET", path: "/v2/audit", gives: "Entry", list: true, filters: logFilters(),
			says: "Shows the log, newest first.", do: audit,
		},
		{
			method: "POST", path: "/v2/explain", asks: true, takes: "WhatIf", gives: "Explanation",
			says: "Says how a request would be answered, and why. Nothing is put on record.",
			do:   ask(decodeWhatIf, explain, encodeExplanation),
		},

		{
			method: "GET", path: "/v2/operator/status", operator: true, gives: "Status",
			says: "Says how the server is doing.", do: show(status, encodeStatus),
		},
		{
			method: "GET", path: "/v2/operator/node", operator: true, gives: "Node", list: true,
			says: "Lists the nodes that decide, and what each has applied.", do: list(nodes, encodeNode),
		},
		{
			method: "DELETE", path: "/v2/operator/node/{node}", operator: true, asks: true, takes: "Forgetting", gives: "Node",
			says: "Takes a node that is gone for good off the record. One that may still decide is 409, unless it is forced.",
			do:   ask(decodeForce, forgetNode, encodeNode),
		},
		{
			method: "GET", path: "/v2/operator/comparison", operator: true, gives: "Comparison", list: true,
			says: "Compares what the other nodes hold with what this one holds.", do: list(compareNodes, encodeCompared),
		},
		{
			method: "GET", path: "/v2/operator/edge", operator: true, gives: "Edge", list: true,
			says: "Lists the programs that may follow the log, revoked ones too.", do: list(edges, encodeEdge),
		},
		{
			method: "POST", path: "/v2/operator/edge", operator: true, takes: "NewEdge", gives: "IssuedEdge",
			says: "Issues a credential with which a program may follow the log. It is in this answer alone.",
			do:   change(decodeEdge, issueEdge, encodeIssued),
		},
		{
			method: "DELETE", path: "/v2/operator/edge/{edge}", operator: true, gives: "Edge",
			says: "Revokes such a credential.", do: change(nothing, revokeEdge, encodeEdge),
		},
		{
			method: "POST", path: "/v2/operator/backup", operator: true, asks: true, takes: "File", gives: "Backup",
			says: "Writes a copy of the records to a file, while the server runs.",
			do:   ask(decodeFile, backup, encodeFile),
		},
	}
}
