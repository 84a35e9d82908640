// Everything here saves clicks and reloads. The pages work without it.
'use strict';
(() => {
	const root = document.documentElement;
	root.classList.add('js'); // before the first paint: nothing jumps

	const all = (what, from = document) => [...from.querySelectorAll(what)];
	const on = (kind, what, act) => document.addEventListener(kind, e => {
		const at = e.target.closest?.(what);
		if (at) act(at, e);
	});

	// What a screen reader is told of changes that nobody asked for.
	let teller;
	const tell = text => {
		if (!teller) {
			teller = document.createElement('p');
			teller.className = 'unseen';
			teller.setAttribute('role', 'status');
		}
		const main = document.querySelector('main');
		if (teller.parentNode !== main) main.append(teller);
		teller.textContent = '';
		setTimeout(() => { teller.textContent = text; }, 50);
	};

	// A form with data-save has its button once something in it was changed.
	const isChanged = c => c.options ? [...c.options].some(o => o.selected !== o.defaultSelected)
		: c.type === 'checkbox' || c.type === 'radio' ? c.checked !== c.defaultChecked
			: 'defaultValue' in c && c.value !== c.defaultValue;
	const mark = form => form.classList.toggle('changed', [...form.elements].some(isChanged));
	on('change', 'form[data-save]', mark);
	on('input', 'form[data-save]', mark);
	on('reset', 'form[data-save]', form => setTimeout(mark, 0, form));

	// Copy
	const copy = async from => {
		const text = from.value ?? from.textContent;
		try {
			await navigator.clipboard.writeText(text);
		} catch {
			const range = document.createRange();
			range.selectNodeContents(from);
			getSelection().removeAllRanges();
			getSelection().addRange(range);
			from.select?.();
			return document.execCommand('copy');
		}
		return true;
	};
	on('click', '[data-copy]', async button => {
		const label = button.dataset.label ??= button.textContent;
		const done = await copy(document.querySelector(button.dataset.copy)) ? 'Copied' : 'Press Ctrl-C';
		button.textContent = done;
		tell(done);
		clearTimeout(button.timer);
		button.timer = setTimeout(() => { button.textContent = label; }, 2000);
	});

	// One menu is open at a time. Escape, and a click or a step outside, close it.
	const close = (but, focus) => all('details.menu[open]').forEach(menu => {
		if (menu.contains(but)) return;
		if (focus && menu.contains(document.activeElement)) menu.querySelector('summary').focus();
		menu.open = false;
	});
	document.addEventListener('click', e => close(e.target));
	document.addEventListener('focusin', e => close(e.target));
	document.addEventListener('keydown', e => { if (e.key === 'Escape') close(null, true); });

	// All of them, or none
	on('change', '[data-all]', box => all(`input[name="${box.dataset.all}"]`, box.form)
		.forEach(one => { one.checked = box.checked; }));

	// Redrawing: what is as it was is left alone, and so is what the person is at work on.
	let held = false; // something is not as it should be, until the person has left it
	const isAtWork = n => n.nodeType === 1 && (n.matches('details[open], form.changed') ||
		n === document.activeElement && n.matches('input, select, textarea'));
	const isInUse = n => n.nodeType === 1 && (n.contains(document.activeElement) || isAtWork(n) ||
		n.querySelector('details[open], form.changed') !== null);

	const keyed = parent => {
		const seen = {}, out = new Map();
		for (const n of parent.childNodes) {
			out.set(n.id || n.nodeName + (seen[n.nodeName] = (seen[n.nodeName] ?? 0) + 1), n);
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
			if (want.has(key) && want.get(key).nodeName === n.nodeName || n === teller) continue;
			have.delete(key);
			if (isInUse(n)) held = true; else n.remove();
		}
		let at = is.firstChild;
		for (const [key, n] of want) {
			const old = have.get(key);
			if (!old) { is.insertBefore(document.importNode(n, true), at); continue; }
			// A text moves out of the way, because an element that moves loses the focus.
			while (at && at !== old && at.nodeType === 3) { const text = at; at = at.nextSibling; is.append(text); }
			if (at === old) at = at.nextSibling; else is.insertBefore(old, at);
			redraw(old, n);
		}
		if (is.options) for (const o of is.options) o.selected = o.defaultSelected;
	};

	// A click that was on its way when things moved would hit something else.
	let moved = -1e9;
	document.addEventListener('pointermove', () => { moved = -1e9; }, { passive: true });
	document.addEventListener('click', e => {
		if (e.detail && performance.now() - moved < 300) { e.preventDefault(); e.stopPropagation(); }
	}, true);

	const waiting = () => all('#waiting li[id]');
	const show = page => {
		const before = new Set(waiting().map(li => li.id));
		held = false;
		document.title = page.title;
		for (const part of ['.head', 'main']) redraw(document.querySelector(part), page.querySelector(part));
		document.body.dataset.revision = page.body.dataset.revision ?? '';
		const now = waiting(), fresh = now.filter(li => !before.has(li.id));
		if (fresh.length || now.length !== before.size) moved = performance.now();
		if (fresh.length === 1) tell(`${fresh[0].querySelector('.name').textContent} waits for you`);
		if (fresh.length > 1) tell(`${fresh.length} more applications wait for you`);
	};
	const read = text => new DOMParser().parseFromString(text, 'text/html');

	// The page is asked for anew, and says itself who may see what.
	let asking = null, again = false;
	const refresh = async () => {
		if (asking) { again = true; return; }
		asking = new AbortController();
		again = false;
		try {
			const res = await fetch(location.href, {
				headers: { 'Ostiary-Look': '1' }, cache: 'no-store', redirect: 'manual', signal: asking.signal,
			});
			if (res.type === 'opaqueredirect' || res.status === 403 || res.status === 404) { location.reload(); return; }
			if (!res.ok) throw new Error(res.status);
			const text = await res.text();
			if (!asking.signal.aborted) show(read(text));
		} catch {
			if (!asking.signal.aborted) setTimeout(refresh, 2000);
		} finally {
			asking = null;
		}
		if (again) refresh();
	};
	const release = () => { if (held) setTimeout(refresh, 50); };
	document.addEventListener('focusout', release);
	document.addEventListener('toggle', release, true);

	// Live
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
		stream = new EventSource(live + (live.includes('?') ? '&' : '?') + 'after=' + revision);
		stream.addEventListener('open', () => { pause = 1000; });
		stream.addEventListener('news', refresh);
		stream.addEventListener('end', () => { stop(); location.reload(); });
		stream.addEventListener('replaced', stop);
		stream.addEventListener('error', () => {
			if (stream?.readyState !== EventSource.CLOSED) return; // it comes back by itself
			stop();
			timer = setTimeout(() => { start(); refresh(); }, pause + Math.random() * 500);
			pause = Math.min(pause * 2, 30000);
		});
	};
	document.addEventListener('visibilitychange', start);
	addEventListener('pagehide', stop);
	addEventListener('pageshow', e => {
		all('form[data-save]').forEach(mark); // a browser may have kept what was chosen before a reload
		if (e.persisted) refresh();
		start();
	});

	// Filtering as one types. A secret is not sent along letter by letter: it goes by Enter alone.
	let typing = 0, typed = 0;
	on('input', 'form[data-filter]', form => {
		clearTimeout(typing);
		const text = form.elements.q.value;
		if (/[\w-]{20}/.test(text)) return;
		typing = setTimeout(async () => {
			const mine = ++typed;
			asking?.abort();
			try {
				const res = await fetch(form.action, { method: 'POST', body: new URLSearchParams(new FormData(form)) });
				const page = await res.text();
				if (mine !== typed || !res.ok || !res.redirected) return;
				history.replaceState(null, '', res.url);
				show(read(page));
			} catch { /* Enter sends the form in the plain way */ }
		}, 250);
	});
	on('submit', 'form[data-filter]', () => { clearTimeout(typing); typed++; });
})();
