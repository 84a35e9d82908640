// Everything here saves clicks and reloads. The pages work without it.
'use strict';
(() => {
	document.documentElement.classList.add('js'); // before the first paint: nothing jumps

	const listen = document.addEventListener.bind(document);
	const all = (what, from = document) => [...from.querySelectorAll(what)];
	const on = (kind, what, act) => listen(kind, e => {
		const at = e.target.closest(what);
		if (at) act(at, e);
	});

	// What a screen reader is told of changes that nobody made here.
	const teller = document.createElement('p');
	teller.className = 'unseen';
	teller.setAttribute('role', 'status');
	const tell = text => {
		const main = document.querySelector('main');
		if (teller.parentNode !== main) main.append(teller);
		teller.textContent = '';
		if (text) setTimeout(() => { teller.textContent = text; }, 50);
	};

	// A form with data-save shows its button once something in it was changed.
	const isChanged = c => c.options ? c.selectedIndex !== Math.max(0, [...c.options].findIndex(o => o.defaultSelected))
		: c.type === 'checkbox' || c.type === 'radio' ? c.checked !== c.defaultChecked
			: 'defaultValue' in c && c.value !== c.defaultValue;
	const mark = form => form.classList.toggle('changed', [...form.elements].some(isChanged));
	for (const kind of ['change', 'input']) on(kind, 'form[data-save]', mark);

	const copy = async from => {
		try {
			await navigator.clipboard.writeText(from.value ?? from.textContent);
			return true;
		} catch {
			getSelection().selectAllChildren(from);
			from.select?.();
			return document.execCommand('copy');
		}
	};
	on('click', '[data-copy]', async button => {
		const label = button.dataset.label ??= button.textContent;
		tell(button.textContent = await copy(document.querySelector(button.dataset.copy)) ? 'Copied' : 'Press Ctrl-C');
		clearTimeout(button.timer);
		button.timer = setTimeout(() => { button.textContent = label; }, 2000);
	});

	// One menu is open at a time. Escape, and a click or a step outside, close it.
	const close = (but, back) => all('details.menu[open]').forEach(menu => {
		if (menu.contains(but)) return;
		if (back && menu.contains(document.activeElement)) menu.querySelector('summary').focus();
		menu.open = false;
	});
	for (const kind of ['click', 'focusin']) listen(kind, e => close(e.target));
	listen('keydown', e => { if (e.key === 'Escape') close(null, true); });

	on('change', '[data-all]', box => all(`input[name="${box.dataset.all}"]`, box.form)
		.forEach(one => { one.checked = box.checked; }));

	// Redrawing leaves alone what is as it was, and what the person is at work on.
	let held = false; // something is old, until the person has left it
	const isAtWork = n => n.matches('details[open], form.changed') ||
		n === document.activeElement && n.matches('input, select, textarea');
	const isInUse = n => n.nodeType === 1 &&
		(isAtWork(n) || n.contains(document.activeElement) || n.querySelector('details[open], form.changed'));

	// Things are the same by their id, or by their kind and place.
	const keyed = parent => {
		const seen = {}, out = new Map();
		for (const n of parent.childNodes) {
			if (n !== teller) out.set(n.id || n.nodeName + (seen[n.nodeName] = (seen[n.nodeName] ?? 0) + 1), n);
		}
		return out;
	};

	const redraw = (is, to) => {
		if (is.isEqualNode(to)) return;
		if (is.nodeType !== 1) { is.data = to.data; return; }
		if (isAtWork(is)) { held = true; return; }
		for (const a of [...is.attributes]) if (!to.hasAttribute(a.name)) is.removeAttribute(a.name);
		for (const a of to.attributes) if (is.getAttribute(a.name) !== a.value) is.setAttribute(a.name, a.value);
		const have = keyed(is), want = keyed(to);
		for (const [key, n] of have) {
			if (want.get(key)?.nodeName === n.nodeName) continue;
			have.delete(key);
			if (isInUse(n)) held = true; else n.remove();
		}
		let at = is.firstChild;
		for (const [key, n] of want) {
			const old = have.get(key);
			if (!old) { is.insertBefore(document.importNode(n, true), at); continue; }
			// Texts move, not elements: one that moves loses the focus.
			while (at && at !== old && (at.nodeType === 3 || at === teller)) {
				const next = at.nextSibling;
				is.append(at);
				at = next;
			}
			if (at === old) at = at.nextSibling; else is.insertBefore(old, at);
			redraw(old, n);
		}
		if (is.options) for (const o of is.options) o.selected = o.defaultSelected;
	};

	// A click on its way while things move would hit something else.
	let shifted = -1e9;
	listen('pointermove', () => { shifted = -1e9; });
	listen('click', e => {
		if (e.detail && performance.now() - shifted < 300) { e.preventDefault(); e.stopPropagation(); }
	}, true);

	const waiting = () => all('#waiting li[id]');
	const show = text => {
		const page = new DOMParser().parseFromString(text, 'text/html');
		const before = waiting().map(li => li.id);
		held = false;
		document.title = page.title;
		for (const part of ['.head', 'main']) redraw(document.querySelector(part), page.querySelector(part));
		document.body.dataset.revision = page.body.dataset.revision ?? '';
		const now = waiting(), fresh = now.filter(li => !before.includes(li.id));
		if (fresh.length || now.length !== before.length) shifted = performance.now();
		if (fresh.length === 1) tell(`${fresh[0].querySelector('.name').textContent} waits for you`);
		if (fresh.length > 1) tell(`${fresh.length} more applications wait for you`);
	};

	// The server draws the page anew, and says who may see what.
	let asking = false, again = false, later = 0, rest = 0;
	const refresh = async () => {
		again = asking;
		if (asking) return;
		clearTimeout(later);
		const began = performance.now();
		if (began < rest) { later = setTimeout(refresh, rest - began); return; }
		asking = true;
		try {
			const at = location.href;
			const res = await fetch(at, { headers: { 'Ostiary-Look': '1' }, cache: 'no-store', redirect: 'manual' });
			if (res.type === 'opaqueredirect' || res.status === 403 || res.status === 404) location.reload();
			else if (!res.ok) throw res.status;
			else if (at === location.href) show(await res.text());
			else again = true;
		} catch {
			later = setTimeout(refresh, 5000);
		}
		asking = false;
		// However much happens, a page keeps the server at work for a quarter of the time.
		rest = performance.now() + (performance.now() - began) * (2 + 2 * Math.random());
		if (again) refresh();
	};
	const release = () => { if (held) setTimeout(refresh, 50); };
	listen('focusout', release);
	listen('toggle', release, true);

	let stream = null, pause = 1000, timer = 0;
	const stop = () => {
		clearTimeout(timer);
		stream?.close();
		stream = null;
	};
	const start = () => {
		stop();
		const { live, revision } = document.body.dataset;
		if (!live || document.hidden) return;
		stream = new EventSource(`${live}${live.includes('?') ? '&' : '?'}after=${revision}`);
		stream.onopen = () => { pause = 1000; };
		stream.onerror = () => {
			if (stream?.readyState !== EventSource.CLOSED) return; // it comes back by itself
			stop();
			timer = setTimeout(() => { start(); refresh(); }, pause * (1 + Math.random()));
			pause = Math.min(pause * 2, 30000);
		};
		stream.addEventListener('news', refresh);
		stream.addEventListener('end', () => { stop(); location.reload(); });
		stream.addEventListener('replaced', stop); // until the person is back
	};
	listen('visibilitychange', start);
	addEventListener('focus', () => { if (!stream) start(); });
	addEventListener('pagehide', stop);
	addEventListener('pageshow', e => {
		all('form[data-save]').forEach(mark); // browsers keep choices over a reload
		tell('');
		if (e.persisted) refresh();
		start();
	});

	// The filter answers as one types. What may be a secret goes by Enter alone.
	let typing = 0, typed = 0;
	on('input', 'form[data-filter]', form => {
		clearTimeout(typing);
		const mine = ++typed;
		if (/[\w-]{20}/.test(form.elements.q.value)) return;
		typing = setTimeout(async () => {
			try {
				const res = await fetch(form.action, { method: 'POST', body: new URLSearchParams(new FormData(form)) });
				const text = await res.text();
				if (mine !== typed || !res.ok || !res.redirected) return;
				if (new URL(res.url).pathname !== location.pathname) { location.assign(res.url); return; }
				history.replaceState(null, '', res.url);
				show(text);
			} catch { /* Enter sends the form in the plain way */ }
		}, 250);
	});
	on('submit', 'form[data-filter]', () => { clearTimeout(typing); typed++; });
})();
