-- Asks Ostiary about a request: the action lua.ostiary of haproxy.cfg. Its argument is the address of
-- the door. HAProxy 2.6 or later.

-- What Ostiary needs of the caller's headers. A header that is there twice goes there twice: Ostiary
-- refuses it.
local credential = {
	"x-circonus-auth-token", "x-circonus-app-name", "x-auth-token", "x-app-name", "authorization",
	"x-circonus-account-id", "x-ostiary-min-revision", "user-agent",
}

-- What a refusal is made of, besides its status and its body.
local refusal = {
	"content-type", "www-authenticate", "retry-after", "cache-control", "x-circonus-token-approval-url",
	"x-ostiary-code", "x-ostiary-revision", "x-ostiary-tag",
}

local identity = { "account", "account-id", "user", "role", "token-id", "app", "revision" }

local reasons = {
	[401] = "Unauthorized", [403] = "Forbidden", [429] = "Too Many Requests", [503] = "Service Unavailable",
}

-- The one value of a header, or nil.
local function one(headers, name)
	local values = headers[name]
	if values and values[0] and values[0] ~= "" and not values[1] then
		return values[0]
	end
end

local function question(txn)
	local sent = txn.http:req_get_headers()
	local ask = {
		["x-original-method"] = { txn.f:method() },
		["x-original-uri"] = { txn.f:pathq() }, -- as it was sent
	}
	for _, name in ipairs(credential) do
		ask[name] = sent[name]
	end
	local way = {}
	for _, value in pairs(sent["x-forwarded-for"] or {}) do
		way[#way + 1] = value
	end
	way[#way + 1] = txn.f:src()
	ask["x-forwarded-for"] = { table.concat(way, ", ") }
	return ask
end

-- Ostiary does not answer, or something else does in its place.
local function unavailable(txn)
	local tag = txn.f:uuid()
	local reply = txn:reply()
	reply:set_status(503, reasons[503])
	reply:add_header("content-type", "application/json")
	reply:add_header("cache-control", "no-store")
	reply:add_header("retry-after", "1")
	reply:add_header("x-ostiary-code", "Unavailable")
	reply:add_header("x-ostiary-tag", tag)
	reply:set_body('{"code":"Unavailable","message":"temporarily unavailable","explanation":"Nobody is there to decide. '
		.. 'Send the request again after the time in Retry-After.","reference":"","server":"'
		.. txn.f:hostname() .. '","status":503,"tag":"' .. tag .. '"}\n')
	txn:done(reply)
end

local function refuse(txn, answer)
	local reply = txn:reply()
	reply:set_status(answer.status, reasons[answer.status])
	for _, name in ipairs(refusal) do
		local value = one(answer.headers, name)
		if value then
			reply:add_header(name, value)
		end
	end
	reply:set_body(answer.body)
	txn:done(reply)
end

core.register_action("ostiary", { "http-req" }, function(txn, door)
	local asked, answer = pcall(function()
		return core.httpclient():get({ url = door, headers = question(txn), timeout = 500 })
	end)
	if not asked or not answer or not answer.headers then
		return unavailable(txn)
	end
	if answer.status ~= 200 then
		if reasons[answer.status] and one(answer.headers, "x-ostiary-code") then
			return refuse(txn, answer)
		end
		return unavailable(txn)
	end
	for _, name in ipairs(identity) do
		local value = one(answer.headers, "x-ostiary-" .. name)
		if not value then
			return unavailable(txn)
		end
		txn:set_var("txn.ostiary_" .. name:gsub("%-", "_"), value)
	end
	local signed = one(answer.headers, "x-ostiary-assertion")
	if signed then
		txn:set_var("txn.ostiary_assertion", signed)
	end
end, 1)
