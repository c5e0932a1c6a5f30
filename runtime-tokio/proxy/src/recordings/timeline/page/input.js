// Pointer, wheel, fingers, keys, search and links.

const byId = (id) => document.getElementById(id);
const tip = byId("tip"), said = byId("said"), found = byId("found");

function zoom(factor, x = (GUTTER + view.width) / 2) {
  const at = timeOf(Math.max(x, GUTTER)), shortest = Math.min(length, 2000);
  const span = Math.min(Math.max((view.to - view.from) * factor, shortest), length);
  const share = (at - view.from) / (view.to - view.from);
  view.from = at - span * share;
  view.to = view.from + span;
  clamp();
  draw();
}

function move(pixels, down = 0) {
  const time = pixels / scale();
  view.from += time;
  view.to += time;
  view.scroll += down;
  clamp();
  draw();
}

function zoomTo(request) {
  const took = Math.max(requests.ended[request] - requests.asked[request], 1000);
  view.from = requests.asked[request] - took * 0.6;
  view.to = requests.ended[request] + took * 0.6;
  clamp();
  reveal(request);
}

// Brings a request into the window without changing the zoom, if it can be helped.
function reveal(request) {
  const from = requests.asked[request], to = requests.ended[request], span = view.to - view.from;
  if (from < view.from || to > view.to) {
    view.from = Math.min(from - span * 0.1, Math.max((from + to) / 2 - span / 2, from - span * 0.2));
    view.to = view.from + span;
  }
  let top = Infinity, bottom = -Infinity;
  partsOf(request, (begin, end, track) => {
    top = Math.min(top, track.y);
    bottom = Math.max(bottom, track.y + track.height);
  });
  if (top < Infinity) {
    const room = view.height - AXIS;
    if (bottom - view.scroll > room || top < view.scroll) view.scroll = Math.max(0, bottom - top > room ? top - 10 : (top + bottom) / 2 - room / 2);
  }
  clamp();
  draw();
}

function select(request) {
  view.selected = request;
  if (request >= 0) {
    said.textContent = "Request " + nameOf(request) + ", " + requests.fate[request] + ", took "
      + duration(requests.ended[request] - requests.asked[request]) + ", queued " + duration(requests.waited[request]);
  }
  draw();
}

function choose(request, story = true) {
  const worker = requests.worker[request];
  if (view.worker >= 0 && view.worker !== worker) setWorker(-1);
  select(request);
  if (story) {
    showRequest(request);
    history.replaceState(null, "", "#" + nameOf(request));
  }
  reveal(request);
}

// The next request in time, or the next bad one.
function turn(by, bad = false) {
  const order = requests.order;
  let at = view.selected < 0
    ? above(order.length, (index) => requests.asked[order[index]], by > 0 ? view.from - 1 : view.to) - (by > 0 ? 1 : 0)
    : order.indexOf(view.selected);
  for (at += by; at >= 0 && at < order.length; at += by) {
    const request = order[at];
    if ((view.worker < 0 || requests.worker[request] === view.worker) && (!bad || requests.kind[request] === BAD)) {
      choose(request, !panel.hidden);
      return;
    }
  }
  said.textContent = "No more requests";
}

function byName(text) {
  const name = text.trim().replace(/^#/, "");
  if (requests.byName.has(name)) return requests.byName.get(name);
  if (!/^\d+$/.test(name)) return -1;
  const all = data.workers.map((worker) => requests.byName.get(worker.worker + ":" + name)).filter((one) => one !== undefined);
  if (all.length > 1) found.textContent = "several workers have it: shown is that of worker " + data.workers[requests.worker[all[0]]].worker;
  return all.length ? all[0] : -1;
}

// What lies under a point: a request, a connection, or a level.
function under(x, y) {
  if (x < GUTTER || y < AXIS) return null;
  const inside = y - AXIS + view.scroll, time = timeOf(x), slack = 3 / scale();
  const track = plan.tracks.find((one) => inside >= one.y && inside < one.y + one.height);
  if (!track) return null;
  if (track.kind === "chart") return { chart: track, time };
  if (track.kind === "queue") {
    const row = track.pool.waits[Math.floor((inside - track.y) / track.row)];
    if (!row) return null;
    const at = above(row.length, (index) => row[index].to, time - slack);
    return at < row.length && row[at].from <= time + slack ? { request: row[at].request, wait: row[at], pool: track.pool } : null;
  }
  if (track.kind !== "lane") return null;
  const lane = track.lane, at = above(lane.length, (index) => lane[index].until, time - slack);
  if (at >= lane.length || lane[at].ordered > time + slack) return null;
  const one = lane[at], base = one.first;
  const first = above(one.served, (index) => exchanges.to[base + index], time - slack);
  // Of those near the point, the nearest.
  let best = -1, distance = Infinity;
  for (let index = first; index < one.served && exchanges.from[base + index] <= time + slack; index++) {
    const away = Math.max(exchanges.from[base + index] - time, time - exchanges.to[base + index], 0);
    if (away < distance) [best, distance] = [base + index, away];
    if (away === 0) break;
  }
  return best >= 0 ? { request: exchanges.request[best], exchange: best, connection: one } : { connection: one, time };
}

function describe(what) {
  if (what.chart) {
    const { cluster, series, name, setting, limit } = what.chart;
    const at = above(cluster.at.length, (index) => cluster.at[index], what.time) - 1;
    const now = series.map((one) => (at < 0 ? 0 : cluster[one][at]) + (series.length > 1 ? " " + one : "")).join(", ");
    return [cluster.name + ": " + name, now + " at " + moment(what.time), limit > 4e9 ? "no " + setting : setting + " " + limit];
  }
  if (what.request !== undefined) {
    const request = what.request, lines = ["Request " + nameOf(request) + ": " + requests.fate[request]];
    if (what.wait) lines.push("queued for " + duration(what.wait.to - what.wait.from) + ", from " + moment(what.wait.from));
    else lines.push("on " + what.connection.name + " for " + duration(exchanges.to[what.exchange] - exchanges.from[what.exchange]) + ", from " + moment(exchanges.from[what.exchange]));
    lines.push("asked at " + moment(requests.asked[request]) + ", queued " + duration(requests.waited[request]) + ", in all "
      + duration(requests.ended[request] - requests.asked[request]));
    if (what.exchange !== undefined && exchanges.end[what.exchange] >= 0) lines.push("exchange: " + words.end[exchanges.end[what.exchange]]);
    return lines;
  }
  const one = what.connection, state = what.time < (one.up < 0 ? one.until : one.up) ? "connecting"
    : one.ordering >= 0 && what.time >= one.ordering ? "closing" : "idle";
  const lines = ["Connection " + one.name + ": " + state, "opened at " + moment(one.ordered) + ": " + words.connect[one.reason]
    + (one.cause < 0 ? "" : ", for request " + nameOf(one.cause))];
  if (one.end) lines.push("closed at " + moment(one.until) + ": " + one.end.words + (one.remarks.length ? " (" + one.remarks.join("; ") + ")" : ""));
  lines.push("carried " + one.served + (one.served === 1 ? " request" : " requests"));
  return lines;
}

function hover(event) {
  const box = chart.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
  const what = under(x, y);
  chart.style.cursor = what && !what.chart ? "pointer" : "default";
  tip.hidden = !what;
  if (!what) return;
  const [title, ...lines] = describe(what);
  tip.replaceChildren(element("b", {}, title), ...lines.map((line) => element("div", {}, line)));
  const top = y + overview.offsetHeight + 16;
  tip.style.left = Math.min(x + 12, view.width - tip.offsetWidth - 8) + "px";
  tip.style.top = (top + tip.offsetHeight > view.height + overview.offsetHeight ? top - tip.offsetHeight - 28 : top) + "px";
}

function pick(event) {
  const box = chart.getBoundingClientRect(), what = under(event.clientX - box.left, event.clientY - box.top);
  if (!what || what.chart) return;
  if (what.request !== undefined) choose(what.request);
  else {
    select(-1);
    showConnection(what.connection.number);
  }
}

const fingers = new Map();
let moved = 0, apart = 0;
chart.addEventListener("pointerdown", (event) => {
  chart.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, event);
  moved = 0;
  apart = 0;
});
chart.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (!before) {
    hover(event);
    return;
  }
  fingers.set(event.pointerId, event);
  tip.hidden = true;
  moved += Math.abs(event.clientX - before.clientX) + Math.abs(event.clientY - before.clientY);
  if (fingers.size === 1) move(before.clientX - event.clientX, before.clientY - event.clientY);
  else {
    const [a, b] = [...fingers.values()], distance = Math.max(Math.abs(a.clientX - b.clientX), 10);
    if (apart) zoom(apart / distance, (a.clientX + b.clientX) / 2 - chart.getBoundingClientRect().left);
    apart = distance;
  }
});
for (const name of ["pointerup", "pointercancel"]) {
  chart.addEventListener(name, (event) => {
    if (name === "pointerup" && fingers.size === 1 && moved < 4) pick(event);
    fingers.delete(event.pointerId);
    apart = 0;
  });
}
chart.addEventListener("pointerleave", () => { tip.hidden = true; });
chart.addEventListener("wheel", (event) => {
  event.preventDefault();
  const x = event.clientX - chart.getBoundingClientRect().left, unit = event.deltaMode === 1 ? 30 : 1;
  tip.hidden = true;
  if (x < GUTTER) move(0, event.deltaY * unit);
  else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) move((event.deltaX || event.deltaY) * unit);
  // A pinch on a touchpad comes as a wheel with the control key, in smaller steps.
  else zoom(Math.exp(event.deltaY * unit * (event.ctrlKey ? 0.01 : 0.002)), x);
}, { passive: false });

let dragging = false;
const jump = (event) => {
  const box = overview.getBoundingClientRect(), share = (event.clientX - box.left - GUTTER) / (view.width - GUTTER);
  const span = view.to - view.from;
  view.from = share * length - span / 2;
  view.to = view.from + span;
  clamp();
  draw();
};
overview.addEventListener("pointerdown", (event) => { dragging = true; overview.setPointerCapture(event.pointerId); jump(event); });
overview.addEventListener("pointermove", (event) => { if (dragging) jump(event); });
overview.addEventListener("pointerup", () => { dragging = false; });

const everything = () => { view.from = 0; view.to = length; clamp(); draw(); };
const KEYS = {
  "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6), "−": () => zoom(1 / 0.6), 0: everything,
  ArrowLeft: () => move(-(view.width - GUTTER) / 8), ArrowRight: () => move((view.width - GUTTER) / 8),
  ArrowUp: () => move(0, -3 * ROW), ArrowDown: () => move(0, 3 * ROW),
  PageUp: () => move(0, -view.height / 2), PageDown: () => move(0, view.height / 2),
  Home: () => move(-length * scale()), End: () => move(length * scale()),
  n: () => turn(1), p: () => turn(-1), f: () => turn(1, true), F: () => turn(-1, true),
  z: () => { if (view.selected >= 0) zoomTo(view.selected); },
  Enter: () => { if (view.selected >= 0) { choose(view.selected); panel.querySelector("h3").focus(); } },
  Escape: () => { if (!panel.hidden) close(); else select(-1); },
};
chart.addEventListener("keydown", (event) => {
  const act = !event.ctrlKey && !event.metaKey && !event.altKey && KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
document.addEventListener("keydown", (event) => {
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  if (event.key === "/") {
    event.preventDefault();
    byId("number").focus();
  } else if (event.key === "Escape" && !panel.hidden && event.target !== chart) {
    close();
    chart.focus();
  }
});

byId("in").addEventListener("click", () => zoom(0.6));
byId("out").addEventListener("click", () => zoom(1 / 0.6));
byId("fit").addEventListener("click", everything);
byId("find").addEventListener("submit", (event) => {
  event.preventDefault();
  found.textContent = "";
  const request = byName(byId("number").value);
  if (request < 0) found.textContent = "not in this recording";
  else {
    choose(request);
    zoomTo(request);
  }
});

function setWorker(worker) {
  view.worker = worker;
  byId("worker").value = String(worker);
  relayout();
}
function relayout() {
  plan = layout(view.worker, view.packed);
  resize();
}
byId("worker").append(element("option", { value: "-1" }, "all"), ...data.workers.map((worker, index) => element("option", { value: String(index) }, String(worker.worker))));
byId("worker").addEventListener("change", (event) => setWorker(Number(event.target.value)));
byId("lanes").value = view.packed ? "packed" : "each";
byId("lanes").addEventListener("change", (event) => { view.packed = event.target.value === "packed"; relayout(); });
for (const [name, text] of [["--connecting", "connecting"], ["--idle", "idle"], ["--closing", "closing"], ["--wait", "queued"], ["--ok", "answered"],
  ["--client", "4xx"], ["--bad", "failed, cut or 5xx"], ["--given-up", "given up"]]) {
  byId("legend").append(element("span", {}, element("i", { style: "background:var(" + name + ")" }), text));
}

function fromHash() {
  const request = location.hash.length > 1 ? byName(decodeURIComponent(location.hash)) : -1;
  if (request < 0) return;
  choose(request);
  document.querySelector(".timeline").scrollIntoView({ block: "nearest" });
}
window.addEventListener("hashchange", fromHash);

const dark = matchMedia("(prefers-color-scheme: dark)");
let theme = null;
const themeButton = byId("theme");
function applyTheme() {
  const now = printing ? "light" : theme || (dark.matches ? "dark" : "light");
  document.documentElement.dataset.theme = now;
  themeButton.textContent = now === "dark" ? "Light" : "Dark";
  themeButton.setAttribute("aria-label", "Change to " + themeButton.textContent.toLowerCase() + " colours");
  readColours();
}
themeButton.addEventListener("click", () => {
  theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  applyTheme();
  draw();
});
dark.addEventListener("change", () => { applyTheme(); draw(); });
// On paper: light, and drawn before the page is.
window.addEventListener("beforeprint", () => { printing = true; applyTheme(); resize(); drawNow(); });
window.addEventListener("afterprint", () => { printing = false; applyTheme(); resize(); });
window.addEventListener("resize", resize);

document.documentElement.classList.add("scripted");
applyTheme();
resize();
fromHash();
