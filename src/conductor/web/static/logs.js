// Logs as they come: only the lines in sight are in the page, so a hundred thousand of them scroll as ten do.
const HEIGHT = 18, BEYOND = 12, PAUSE = 1000, LONGEST_PAUSE = 30000;
const FAILURE = /\b(fail(ed|ure|ing)?|error|exception|traceback|panic|fatal|assert(ion)?error)\b|[✗✕✖×]/i;
const HARMLESS = /\b(0|no) (failed|failures?|errors?)\b/i;

export function followLogs(box, goesOn) {
  const bar = document.getElementById("log-bar"), list = box.querySelector(".lines");
  const find = document.getElementById("log-find"), whose = document.getElementById("log-workload");
  const follow = document.getElementById("log-follow"), count = document.getElementById("log-count");
  const state = document.getElementById("log-state");
  const lines = [], known = new Set();
  let shown = [], hits = [], here = -1, drawn = "", place = "", pause = PAUSE, isAll = false, queued = false;

  const textOf = (line) => line.text ??= line[3].map((piece) => piece[1]).join("");
  const isIn = (line) => !whose.value || line[0] === whose.value;
  const isHit = (line) => {
    const words = find.value.trim().toLowerCase();
    if (words) return textOf(line).toLowerCase().includes(words) || line[0].toLowerCase().includes(words);
    return FAILURE.test(textOf(line)) && !HARMLESS.test(textOf(line));
  };

  function take(fresh) {
    for (const line of fresh) {
      lines.push(line);
      if (!known.has(line[0])) { known.add(line[0]); whose.add(new Option(line[0], line[0])); }
      if (!isIn(line)) continue;
      if (isHit(line)) hits.push(shown.length);
      shown.push(line);
    }
    later();
  }
  function again() {
    shown = lines.filter(isIn);
    hits = [];
    shown.forEach((line, at) => { if (isHit(line)) hits.push(at); });
    here = -1;
    drawn = "";
    later();
  }
  function later() {
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => { queued = false; draw(); });
  }
  function draw() {
    if (!isAll) return;
    list.style.height = `${shown.length * HEIGHT + 8}px`;
    if (follow.checked) box.scrollTop = box.scrollHeight;
    const from = Math.max(0, Math.floor(box.scrollTop / HEIGHT) - BEYOND);
    const to = Math.min(shown.length, Math.ceil((box.scrollTop + box.clientHeight) / HEIGHT) + BEYOND);
    const key = `${from} ${to} ${here} ${shown.length < to + BEYOND ? shown.length : 0} ${find.value}`;
    const what = find.value.trim() ? "match" : "failure";
    count.textContent = `${lines.length.toLocaleString("en")} lines, ${hits.length} ${what}${hits.length === 1 ? "" : what === "match" ? "es" : "s"}`;
    if (key === drawn) return;
    drawn = key;
    const marked = find.value.trim() ? new Set(hits) : new Set();
    list.replaceChildren(...shown.slice(from, to).map((line, at) => row(line, from + at, marked)));
  }
  function row(line, at, marked) {
    const item = document.createElement("li"), time = document.createElement("time"), of = document.createElement("b");
    item.style.top = `${at * HEIGHT}px`;
    if (line[2]) item.classList.add("err");
    if (marked.has(at)) item.classList.add("hit");
    if (at === here) item.classList.add("here");
    time.textContent = line[1];
    of.className = "of";
    of.textContent = line[0];
    item.append(time, " ", of, " ");
    for (const [classes, text] of line[3]) {
      if (!classes) { item.append(text); continue; }
      const piece = document.createElement("span");
      piece.className = classes;
      piece.textContent = text;
      item.append(piece);
    }
    return item;
  }
  function go(at) {
    here = at;
    follow.checked = false;
    box.scrollTop = Math.max(0, at * HEIGHT - box.clientHeight / 3);
    box.scrollIntoView({ block: "nearest" });
    drawn = "";
    later();
  }
  function step(by) {
    if (!hits.length) return;
    const next = by > 0 ? hits.find((at) => at > here) ?? hits[0] : hits.findLast((at) => at < here) ?? hits.at(-1);
    go(next);
  }
  function jump(name) {
    if (whose.value) { whose.value = ""; again(); }
    const wanted = name ? shown.findIndex((line) => textOf(line).includes(name) && /fail|error|✗|✕|not ok/i.test(textOf(line))) : -1;
    const named = wanted < 0 && name ? shown.findIndex((line) => textOf(line).includes(name)) : wanted;
    if (named >= 0) go(named);
    else if (hits.length) go(hits[0]);
  }
  function begin() {
    if (isAll) return;
    isAll = true;
    box.classList.add("all");
    bar.hidden = false;
    list.replaceChildren();
  }
  function connect() {
    const source = new EventSource(box.dataset.stream + (place ? `?after=${encodeURIComponent(place)}` : ""));
    source.addEventListener("open", () => { pause = PAUSE; state.textContent = ""; });
    source.addEventListener("lines", (event) => { place = event.lastEventId; begin(); take(JSON.parse(event.data)); });
    source.addEventListener("end", () => { source.close(); state.textContent = ""; box.dataset.ended = "1"; });
    source.addEventListener("error", () => {
      state.textContent = "connecting again …";
      source.close();
      setTimeout(connect, pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    });
  }

  box.addEventListener("scroll", () => {
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 2 * HEIGHT;
    if (!atEnd && isAll && follow.checked && box.scrollTop < box.lastTop) follow.checked = false;
    box.lastTop = box.scrollTop;
    later();
  }, { passive: true });
  follow.addEventListener("change", () => { drawn = ""; later(); });
  whose.addEventListener("change", again);
  find.addEventListener("input", () => { again(); if (hits.length && find.value.trim()) go(hits[0]); });
  find.addEventListener("keydown", (event) => { if (event.key === "Enter") step(event.shiftKey ? -1 : 1); });
  document.getElementById("log-fail").addEventListener("click", () => { find.value = ""; again(); jump(""); });
  addEventListener("resize", () => { drawn = ""; later(); });
  follow.checked = goesOn;
  if ("all" in box.dataset) connect();
  return { step, jump, toggle: () => { follow.checked = !follow.checked; drawn = ""; later(); } };
}
