// What pages do beyond being read: they stay fresh, ask before something goes for good, and are moved through by keys.
import { followLogs } from "./logs.js";

const live = document.getElementById("live");
const log = document.getElementById("log");

for (const form of document.querySelectorAll("form[data-ask]")) guard(form);
function guard(form) {
  form.addEventListener("submit", (event) => { if (!confirm(form.dataset.ask)) event.preventDefault(); });
}

// Parts of the page that a script replaces are those that changed; what somebody opened stays open.
function replaceParts(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html").body;
  const parts = new Map([...live.children].map((part) => [part.dataset.part, part]));
  let before = null;
  for (const part of [...fresh.children]) {
    const known = parts.get(part.dataset.part);
    parts.delete(part.dataset.part);
    let placed = known;
    if (!known || known.dataset.source !== part.outerHTML) {
      placed = document.importNode(part, true);
      placed.dataset.source = part.outerHTML;
      if (known) {
        const open = [...known.querySelectorAll("details")].map((one) => one.open);
        placed.querySelectorAll("details").forEach((one, at) => { if (at < open.length) one.open = open[at]; });
        known.replaceWith(placed);
      }
    }
    live.insertBefore(placed, before ? before.nextSibling : live.firstChild);
    before = placed;
  }
  for (const gone of parts.values()) gone.remove();
  for (const form of live.querySelectorAll("form[data-ask]:not([data-guarded])")) { form.dataset.guarded = "1"; guard(form); }
  showJumps();
}

let asked = 0, busy = false;
async function refresh() {
  asked += 1;
  if (busy) return;
  busy = true;
  while (asked) {
    asked = 0;
    try {
      const answer = await fetch(`${live.dataset.run}/live`, { headers: { Accept: "text/html" } });
      if (answer.redirected) location.reload();
      else if (answer.ok) replaceParts(await answer.text());
    } catch { /* the server is away: its next word brings the next look */ }
    await new Promise((done) => setTimeout(done, 700));
  }
  busy = false;
}

function followRun() {
  let wait = 1000, timer = 0;
  const source = new EventSource(`${live.dataset.run}/changes`);
  source.addEventListener("changed", () => { wait = 1000; refresh(); });
  source.addEventListener("end", () => { source.close(); clearInterval(timer); refresh(); titled(); });
  source.addEventListener("error", () => {
    if (source.readyState !== EventSource.CLOSED) return;
    clearInterval(timer);
    setTimeout(followRun, wait = Math.min(wait * 2, 30000));
  });
  timer = setInterval(refresh, 5000);
}
function titled() {
  setTimeout(() => {
    const word = live.querySelector("h1 .verdict");
    if (word) document.title = document.title.replace(/^[^:]+/, word.textContent.trim());
  }, 1500);
}

let logs = null;
function showJumps() {
  if (!logs) return;
  for (const button of live.querySelectorAll("[data-jump][hidden]")) {
    button.hidden = false;
    button.addEventListener("click", () => logs.jump(button.dataset.jump));
  }
}

if (log) logs = followLogs(log, "following" in (live?.dataset ?? {}));
if (live) { showJumps(); if ("following" in live.dataset) followRun(); }

// The list of runs, while some of them are at work.
const rows = document.querySelector("[data-live-list]");
if (rows) {
  setInterval(async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok || answer.redirected) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("rows");
      const at = rowAt();
      if (fresh) rows.replaceChildren(...fresh.childNodes);
      select(at);
    } catch { /* the next look may go well */ }
  }, 3000);
}
const listed = () => [...document.querySelectorAll("[data-row]")];
const rowAt = () => listed().findIndex((row) => row.classList.contains("at"));
function select(at) {
  const all = listed();
  all.forEach((row, number) => row.classList.toggle("at", number === at));
  all[at]?.querySelector("a")?.focus({ preventScroll: false });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const writing = event.target.closest("input,select,textarea");
  if (writing) { if (event.key === "Escape") writing.blur(); return; }
  const find = document.getElementById("log-find") ?? document.querySelector("[data-find]");
  if (event.key === "/" && find) { event.preventDefault(); find.focus(); find.select(); }
  else if (event.key === "f" && logs) logs.toggle();
  else if (event.key === "j" || event.key === "k") {
    const step = event.key === "j" ? 1 : -1;
    if (logs) logs.step(step);
    else if (listed().length) select(Math.max(0, Math.min(listed().length - 1, rowAt() + step)));
  }
});
