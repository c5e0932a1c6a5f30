// What happened to one request or connection, in the words of `pool-proxy explain`.

const panel = document.getElementById("story");

function element(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === "click") node.addEventListener("click", value); else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

const button = (text, click) => element("button", { type: "button", click }, text);
const link = (request) => element("a", { href: "#" + nameOf(request) }, nameOf(request));

function chapters(request) {
  const rows = requests.rows, told = [], passed = [];
  let at = requests.offset[request], left = rows[at + 2], time = 0;
  for (at += 3; left > 0; left--) {
    const what = rows[at], [a, b, c, d, e, f, g, h] = rows.slice(at + 2, at + 2 + ARGUMENTS[what]);
    time += rows[at + 1];
    let text, trouble = false;
    switch (what) {
      case ASKED: {
        const pool = data.pools[a], cluster = data.clusters[pool.cluster];
        const how = b ? "went back to the head of the queue of" : "asked";
        const where = cluster.name === pool.label ? "" : " (cluster " + cluster.name + ")";
        text = how + " the pool of " + pool.label + where + "; there: " + c + " in progress, " + d + " waiting, connections: "
          + e + " opening, " + f + " ready, " + g + " busy, " + h + " draining";
        passed.pool = pool;
        break;
      }
      case QUEUED: {
        text = "queued: " + words.queue[a];
        const cluster = passed.pool && data.clusters[passed.pool.cluster];
        if (a === 2 && cluster && cluster.limits[0] < 4e9) {
          text += " (max_connections of " + cluster.name + ": " + cluster.limits[0] + ", over all hosts and workers)";
        }
        break;
      }
      case BOUND:
        passed.push(a);
        text = ["got connection ", element("button", { type: "button", class: "as-link", click: () => showConnection(a) }, connections.all[a].name),
          " (" + words.bind[b] + "; " + (c ? "it had carried others before" : "its first request") + ")"];
        break;
      case REFUSED: text = "was given back by the pool: " + words.fail[a]; trouble = true; break;
      case CANCELLED: text = "was given up by its caller while it waited"; break;
      case ANSWERED: text = "the head of its response came: " + a; trouble = a >= 500; break;
      case ENDED: text = "its exchange ended: " + words.end[a]; trouble = a > CUT_HERE; break;
      case BROKE: text = "its exchange broke, " + words.progress[a] + "; " + words.next[b]; trouble = true; break;
      case FAILED: text = "failed: " + words.verdict[a]; trouble = true; break;
    }
    told.push({ time, text, trouble });
    at += 2 + ARGUMENTS[what];
  }
  return { told, passed };
}

function list(rows, from) {
  const body = element("tbody");
  let last = from;
  for (const { time, text, trouble } of rows) {
    const since = time === last ? "" : "+" + duration(time - last);
    last = time;
    body.append(element("tr", trouble ? { class: "trouble" } : {},
      element("td", { class: "n" }, moment(time)), element("td", { class: "n soft" }, since),
      element("td", {}, ...(Array.isArray(text) ? text : [text]))));
  }
  return element("table", {}, body);
}

function lifeOf(one) {
  const rows = [{ time: one.ordered, text: ["ordered: " + words.connect[one.reason], ...(one.cause < 0 ? [] : [", for request ", link(one.cause)])] }];
  if (one.up >= 0) rows.push({ time: one.up, text: "up" });
  if (one.ordering >= 0) rows.push({ time: one.ordering, text: "ordered to close: " + words.close[one.why], trouble: one.end.bad });
  if (one.gone >= 0) {
    const remark = one.up < 0 && one.remarks.length ? ": " + one.remarks.join("; ") : "";
    const text = (one.up < 0 ? "the attempt failed" : one.by === 1 ? "closed by the peer" : "closed by this side") + remark;
    rows.push({ time: one.gone, text, trouble: one.ordering < 0 && one.end.bad });
  }
  return rows;
}

function connectionPart(number) {
  const one = connections.all[number], pool = data.pools[one.pool];
  const many = one.served + (one.served === 1 ? " request" : " requests");
  const part = element("section", {}, element("h4", {}, "Connection " + one.name + " to " + pool.label), list(lifeOf(one), one.ordered));
  part.append(element("p", { class: "soft" }, "Carried " + many + "."));
  for (const remark of one.up < 0 ? [] : one.remarks) part.append(element("p", {}, remark));
  return part;
}

function open(title, facts, ...parts) {
  panel.replaceChildren(
    element("div", { class: "title" }, element("h3", { tabindex: "-1" }, title), element("button", { type: "button", "aria-label": "Close story", title: "Close (Esc)", click: close }, "×")),
    element("p", { class: "facts" }, facts), ...parts);
  panel.hidden = false;
  resize();
}

function close() {
  panel.hidden = true;
  select(-1);
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  resize();
}

function showRequest(request) {
  const { told, passed } = chapters(request), worker = data.workers[requests.worker[request]].worker;
  const facts = "Worker " + worker + " · " + requests.fate[request] + " · " + duration(requests.ended[request] - requests.asked[request])
    + " in all" + (requests.waited[request] > 0 ? ", queued " + duration(requests.waited[request]) : "");
  const tools = element("p", { class: "tools" }, button("Zoom to it", () => zoomTo(request)), button("Previous", () => turn(-1)), button("Next", () => turn(1)));
  open("Request " + nameOf(request), facts, tools, list(told, requests.asked[request]), ...[...new Set(passed)].map(connectionPart));
}

function showConnection(number) {
  const one = connections.all[number], shown = 40, rows = [];
  for (let at = one.first; at < one.first + Math.min(one.served, shown); at++) {
    const request = exchanges.request[at];
    rows.push({ time: exchanges.from[at], trouble: kindOf(at) === BAD,
      text: [link(request), "  " + requests.fate[request] + ", " + duration(exchanges.to[at] - exchanges.from[at])] });
  }
  const more = one.served > shown ? [element("p", { class: "soft" }, "and " + (one.served - shown) + " more")] : [];
  open("Connection " + one.name, "Worker " + data.workers[data.pools[one.pool].worker].worker + " · open for " + duration(one.until - one.ordered),
    connectionPart(number), element("section", {}, element("h4", {}, "Its requests"), list(rows, one.ordered), ...more));
}
