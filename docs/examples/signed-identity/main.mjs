// An API that accepts a request only with an identity that Ostiary has signed.
//
//	LISTEN=127.0.0.1:9000 OSTIARY=http://127.0.0.1:8700 AUDIENCE=my-api node main.mjs
import { createPublicKey, verify as verifySignature } from 'node:crypto';
import { createServer } from 'node:http';

const { LISTEN, OSTIARY: issuer, AUDIENCE: audience } = process.env;

const fresh = 300_000; // ms: keys are fetched again after this …
const kept = 3_600_000; // … and while that fails, used for this long
const pause = 10_000; // between two fetches, whatever names of keys callers make up
const leeway = 5; // seconds between the clocks of two machines

let keys = new Map();
let fetched = -Infinity; // on the clock that never goes back
let tried = -Infinity;
let fetching = null;

// verify gives the identity in the values of the header X-Ostiary-Assertion, or throws.
async function verify(values) {
	if (values?.length !== 1 || values[0].length > 8192) throw new Error('there must be one assertion');
	if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(values[0])) throw new Error('an assertion has three parts');
	const [head, body, signature] = values[0].split('.');
	// The algorithm is ours to choose: one that the caller names is compared, and never followed.
	const header = decode(head);
	if (header?.alg !== 'EdDSA' || header.crit !== undefined) throw new Error('the algorithm is not EdDSA');
	const key = await keyNamed(header.kid);
	if (!key) throw new Error('the key is not known');
	if (!verifySignature(null, Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))) {
		throw new Error('the signature does not fit');
	}
	const who = decode(body);
	const now = Date.now() / 1000;
	if (who.iss !== issuer) throw new Error('another server signed it');
	if (who.aud !== audience) throw new Error('it is for another API');
	if (!(now < who.exp + leeway)) throw new Error('it has expired');
	if (!(now + leeway >= who.iat)) throw new Error('it is from the future');
	return who;
}

const decode = (part) => JSON.parse(Buffer.from(part, 'base64url').toString());

// keyNamed gives a public key by its name, or undefined.
async function keyNamed(name) {
	const key = known(name, fresh);
	if (key) return key;
	fetching ??= fetchKeys().finally(() => { fetching = null; });
	await fetching;
	return known(name, kept);
}

const known = (name, within) => (performance.now() - fetched > within ? undefined : keys.get(name));

// fetchKeys replaces the keys by those that are published, or leaves them as they are.
async function fetchKeys() {
	if (performance.now() - tried < pause) return;
	tried = performance.now();
	try {
		const res = await fetch(`${issuer}/.well-known/jwks.json`, { signal: AbortSignal.timeout(2000) });
		if (!res.ok) throw new Error(`status ${res.status}`);
		const set = new Map();
		for (const { kty, crv, kid, x } of (await res.json()).keys) {
			if (kty !== 'OKP' || crv !== 'Ed25519') continue;
			set.set(kid, createPublicKey({ key: { kty, crv, x }, format: 'jwk' }));
		}
		keys = set;
		fetched = performance.now();
	} catch (err) {
		console.error('fetching the keys:', err.message);
	}
}

const api = createServer(async (req, res) => {
	try {
		const who = await verify(req.headersDistinct['x-ostiary-assertion']);
		res.end(`${who.user}, ${who.role} on ${who.account}, with ${who.app}\n`);
	} catch (err) {
		res.statusCode = 403;
		res.end(`this request did not come through the door: ${err.message}\n`);
	}
});
const [host, port] = LISTEN.split(':');
api.listen(Number(port), host);
