// This script updates a page. The agent makes all HTML: if a page has changed, the script fetches it again and replaces
// only the parts that differ. Without this script the pages work too, and the browser loads them again by itself.
(() => {
'use strict';
const doc = document, root = doc.documentElement, main = doc.getElementById('main');
const fresh = doc.getElementById('fresh'), words = fresh.querySelector('.words');
const now = () => performance.now();
const all = (from, what) => from.querySelectorAll(what);

// Times are in the zone and the format of the browser; en-US gives 6/28/22 03:20:37.
const two = '2-digit', format = (o) => new Intl.DateTimeFormat(undefined, {hourCycle: 'h23', ...o});
const date = format({year: two, month: 'numeric', day: 'numeric', hour: two, minute: two, second: two});
const clock = format({hour: two, minute: two});
const age = (s) => s < 90 ? s + ' s' : s < 5400 ? Math.floor((s + 30) / 60) + ' min' :
  s < 172800 ? Math.floor((s + 1800) / 3600) + ' h' : Math.floor(s / 86400) + ' d';

function dress(from) {
  for (const t of all(from, 'time[datetime]')) {
    const at = new Date(t.dateTime);
    if (isNaN(at)) continue;
    t.textContent = 'clock' in t.dataset ? clock.format(at) : date.format(at).replace(',', '');
    t.title = t.dateTime;
  }
  for (const b of all(from, '[data-copy]')) b.hidden = false;
}
function startAges() { for (const e of all(main, '[data-age]')) e.begun = now() - e.dataset.age * 1000; }
function tick() {
  for (const e of all(main, '[data-age]')) {
    const text = age(Math.max(Math.floor((now() - e.begun) / 1000), 0));
    if (e.dataset.age >= 0 && e.textContent !== text) e.textContent = text;
  }
}

// morph makes element a equal to b. Opened details stay open, and typed text stays.
function morph(a, b) {
  for (const {name, value} of [...b.attributes]) if (name !== 'open' && a.getAttribute(name) !== value) a.setAttribute(name, value);
  for (const {name} of [...a.attributes]) if (name !== 'open' && !b.hasAttribute(name)) a.removeAttribute(name);
  const old = [...a.childNodes], next = [...b.childNodes];
  for (let i = 0; i < Math.max(old.length, next.length); i++) {
    const x = old[i], y = next[i];
    if (!x) a.append(doc.importNode(y, true));
    else if (!y) x.remove();
    else if (x.nodeName !== y.nodeName || x.nodeType === 1 && x.dataset && x.dataset.key !== y.dataset.key) x.replaceWith(doc.importNode(y, true));
    else if (x.nodeType === 3) { if (x.data !== y.data) x.data = y.data; }
    else if (x.nodeType === 1 && !x.matches('input,select,textarea,[data-own]') && !x.isEqualNode(y)) morph(x, y);
  }
}

const at = (path) => location.pathname.startsWith(path);
const live = 'live' in main.dataset, list = location.pathname === '/triggers';
let last = 0, waiting, lastGood = now();
const reading = () => list && (scrollY > 60 || doc.querySelector('.filter[open]')) || !getSelection().isCollapsed ||
  main.contains(doc.activeElement) && doc.activeElement.matches('input,select,textarea');
async function refresh() {
  clearTimeout(waiting); waiting = 0;
  if (!live || reading()) return;
  last = now();
  try {
    const answer = await fetch(location.href);
    if (!answer.ok) return;
    if (answer.redirected) return location.assign(answer.url); // the login has ended
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html'), body = page.getElementById('main');
    if (!body || reading()) return;
    lastGood = now();
    dress(body); morph(main, body); startAges(); show();
    if (page.documentElement.dataset.version !== root.dataset.version) updated();
  } catch { lost(); }
}
function soon(pause) { if (!waiting) waiting = setTimeout(refresh, Math.max(last + pause - now(), 0)); }

// takeValues writes new values into the elements that show them.
const places = {V: 2, A: 2, '°C': 1, Ah: 1, kWh: 1, W: 1, '%': 1, Hz: 2, s: 0, h: 0};
const shown = (v, unit) => typeof v === 'number' ? (unit in places ? v.toFixed(places[unit]) : String(+v.toPrecision(6))) :
  Array.isArray(v) ? v.join(', ') || 'none' : String(v);
function takeValues(rows) {
  const found = {};
  for (const e of all(main, '[data-value]')) {
    const unit = e.closest('[data-unit]'), key = (unit ? unit.dataset.unit + '/' : '') + e.dataset.value;
    (found[key] ||= []).push(e);
  }
  for (const r of rows) for (const e of found[r.line + '/' + r.unit_id + '/' + r.object] || []) {
    const text = shown(r.value, r.unit), a = (e.closest('tr,article,.hero') || e).querySelector('[data-age]');
    if (e.textContent !== text) e.textContent = text;
    if (a) a.begun = now();
  }
}

// While the reader has scrolled or selected something, new rows are only counted, and not inserted.
let news = 0, newest = 0;
function show() {
  newest = Math.max(0, ...[...all(main, 'tr[data-key]')].map((r) => +r.dataset.key || 0));
  news = 0; count();
}
function count() {
  const button = doc.getElementById('news');
  if (button) { button.hidden = !news; button.textContent = news + ' new'; }
}
function takeTrigger(row) {
  if (reading() && row.id > newest) { newest = row.id; news++; count(); } else soon(2000);
}

// The connection is a stream of events while the page is visible. After three errors the page is fetched every ten
// seconds.
let stream, faults = 0, poll;
function say(kind, text) { if (fresh.className !== 'fresh ' + kind || words.textContent !== text) { fresh.className = 'fresh ' + kind; words.textContent = text; } }
function lost() {
  const old = Math.floor((now() - lastGood) / 10000) * 10;
  say('lost', old < 60 ? 'Connection lost, trying again' : 'The gateway does not answer: values are ' + age(old) + ' old');
}
function updated() {
  say('poll', 'The agent was updated: ');
  const a = doc.createElement('a');
  a.href = location.href; a.textContent = 'reload'; words.append(a);
  close(); clearInterval(poll); poll = 1;
}
function close() { if (stream) { stream.close(); stream = null; } }
function open() {
  if (stream || doc.hidden || !live || poll === 1) return;
  stream = new EventSource('/api/v1/events?topics=status,values' + (list || at('/integrations') ? ',triggers' : at('/system/logs') ? ',logs' : ''));
  const on = (name, take) => stream.addEventListener(name, (e) => { lastGood = now(); take(e.data && JSON.parse(e.data)); });
  on('hello', (h) => {
    faults = 0; clearInterval(poll); poll = 0;
    if (h.version !== root.dataset.version) return updated();
    say('live', 'Live');
  });
  on('values', (v) => takeValues(v.objects));
  on('status', () => soon(list ? 15000 : 4000));
  on('problem', () => soon(1000));
  on('trigger', takeTrigger);
  on('log', () => soon(1000));
  on('resync', () => soon(0));
  stream.onerror = () => {
    if (!poll) lost();
    if (++faults < 3 && stream.readyState !== 2) return;
    close();
    if (!poll) { poll = setInterval(again, 10000); again(); }
  };
}
async function again() {
  if (doc.hidden) return;
  await refresh();
  if (now() - lastGood < 12000) say('poll', 'Updating every 10 s');
  if (++faults % 6 === 0) open();
}

// In a form, the check boxes and the text field show the same objects.
const field = doc.getElementById('f-objects'), offers = doc.getElementById('offers');
if (field && offers) {
  const names = () => field.value.split(',').map((s) => s.trim()).filter(Boolean);
  const check = () => { const have = names(); for (const box of all(offers, 'input')) { box.hidden = false; box.checked = have.includes(box.value); } };
  offers.addEventListener('change', (e) => {
    const rest = names().filter((n) => n !== e.target.value && n !== 'all');
    field.value = (e.target.checked ? [...rest, e.target.value] : rest).join(', ');
  });
  field.addEventListener('input', check); check();
  const wide = matchMedia('(min-width: 62.5rem)'), beside = () => { if (wide.matches) offers.closest('details').open = true; };
  wide.onchange = beside; beside();
}
// Times of a filter are typed in the zone of the browser. In the address they are in UTC.
const times = doc.querySelector('[data-times]');
if (times) {
  const fields = all(times, '[type=datetime-local]'), iso = (t) => new Date(t).toISOString();
  for (const e of fields) if (e.dataset.at) {
    const at = new Date(e.dataset.at);
    e.value = iso(at - at.getTimezoneOffset() * 60000).slice(0, 19);
  }
  doc.getElementById('f-zone').textContent = 'From and To are Completed At, in the time of this browser.';
  times.addEventListener('submit', () => { for (const e of fields) if (e.value) { const at = iso(e.value); e.type = 'text'; e.value = at; } });
}

// The button copies a message. The newer clipboard API works only with https.
doc.addEventListener('click', (e) => {
  const button = e.target.closest('[data-copy]');
  if (!button) return;
  getSelection().selectAllChildren(button.closest('.copy').querySelector('pre'));
  button.textContent = doc.execCommand('copy') ? 'Copied' : 'Selected';
});
const errors = doc.getElementById('errors');
if (errors) errors.focus();

// A chart shows the value and the state at the pointer. The arrow keys move the place too.
let history, asked = 0, place = 1;
async function read(field) {
  if (!history || now() - asked > 60000) { asked = now(); history = fetch(field.parentElement.dataset.history).then((r) => r.json()); }
  const h = await history, time = Date.parse, since = time(h.kept_since), from = since - time(h.from) > 3e5 ? since : time(h.from), span = time(h.to) - from, t = from + place * span;
  const off = (b) => Math.abs(time(b.from) - t), near = h.buckets.reduce((a, b) => off(b) < off(a) ? b : a, h.buckets[0]);
  const none = !near || off(near) > span / 24 || h.gaps.some((g) => time(g.from) <= t && t < time(g.to));
  let text = clock.format(none ? t : time(near.from)) + '  ', column = 0;
  text += none ? 'no reading' : shown(near.mean, h.unit) + ' ' + h.unit + ' (' + shown(near.min, h.unit) + ' to ' + shown(near.max, h.unit) + ')';
  const state = [...all(field.parentElement, '.band td')].find((e) => (column += e.colSpan) >= place * 480);
  if (state && state.title) text += ', ' + state.title;
  field.parentElement.querySelector('.read-out').textContent = text;
}
for (const kind of ['pointerdown', 'pointermove']) doc.addEventListener(kind, (e) => {
  const field = e.target.closest('.field-of'), r = field && field.getBoundingClientRect();
  if (field) { place = Math.min(Math.max((e.clientX - r.left) / r.width, 0), 1); read(field); }
});
for (const p of all(doc, '.read-out')) p.textContent = 'Touch the chart, or point at it, to read a value.';
doc.addEventListener('keydown', (e) => {
  const field = e.target.closest('.field-of'), step = {ArrowLeft: -1, ArrowRight: 1}[e.key];
  if (field && step) { place = Math.min(Math.max(place + step / 96, 0), 1); e.preventDefault(); read(field); }
});

dress(doc); startAges(); show(); setInterval(tick, 1000);
doc.getElementById('news')?.addEventListener('click', () => { scrollTo(0, 0); doc.querySelector('.filter')?.removeAttribute('open'); news = 0; soon(0); });
doc.addEventListener('visibilitychange', () => { if (doc.hidden) { close(); say('', 'Paused'); } else { open(); soon(0); } });
addEventListener('pagehide', close);
addEventListener('pageshow', open);
if (live) open(); else { fresh.className = 'fresh'; }
})();
