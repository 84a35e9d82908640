// One call of the client from npm: node call.js METHOD ENDPOINT [JSON]. It prints what the callback gets.
const circonus = require('circonusapi2');
const [method, endpoint, data] = process.argv.slice(2);
const { TOKEN, APP, HOST, PORT } = process.env;

circonus.setup(TOKEN, APP, { protocol: 'http', host: HOST, port: PORT });
const done = (code, error, body) => console.log(JSON.stringify({ code, error, body }));
const args = method === 'delete' ? [endpoint, done] : [endpoint, data ? JSON.parse(data) : null, done];
circonus[method](...args);
