// Lists of numbers become things: requests, connections, waits. Times are nanoseconds from the
// beginning of the run, ends that were not recorded are the end of the run.

const data = JSON.parse(document.getElementById("data").textContent);
const length = Math.max(data.length, 1);
const words = data.words;
const OK = 0, CLIENT = 1, BAD = 2, GIVEN_UP = 3, OPEN = 4;
// Numbers that follow on kind and time of a chapter.
const ARGUMENTS = [8, 1, 3, 1, 0, 1, 1, 2, 1];
const [ASKED, QUEUED, BOUND, REFUSED, CANCELLED, ANSWERED, ENDED, BROKE, FAILED] = ARGUMENTS.keys();
const CUT_HERE = 4;

const requests = (() => {
  const rows = data.requests;
  let count = 0;
  for (let at = 0; at < rows.length; count++) {
    let chapters = rows[at + 2];
    for (at += 3; chapters > 0; chapters--) at += 2 + ARGUMENTS[rows[at]];
  }
  const all = {
    count, rows,
    worker: new Uint16Array(count), number: new Float64Array(count),
    asked: new Float64Array(count), ended: new Float64Array(count), waited: new Float64Array(count),
    kind: new Uint8Array(count), fate: new Array(count), offset: new Uint32Array(count),
    byName: new Map(),
  };
  const waits = data.pools.map(() => []);
  for (let at = 0, index = 0; at < rows.length; index++) {
    all.offset[index] = at;
    all.worker[index] = rows[at];
    all.number[index] = rows[at + 1];
    all.byName.set(data.workers[rows[at]].worker + ":" + rows[at + 1], index);
    let chapters = rows[at + 2], time = 0, pool = 0, since = -1, status = 0, fate = "not ended", kind = OPEN;
    at += 3;
    all.asked[index] = rows[at + 1];
    const waitEnds = () => {
      if (since < 0) return;
      waits[pool].push({ from: since, to: time, request: index });
      all.waited[index] += time - since;
      since = -1;
    };
    for (; chapters > 0; chapters--) {
      const what = rows[at], a = rows[at + 2];
      time += rows[at + 1];
      if (what !== QUEUED) waitEnds();
      switch (what) {
        case ASKED: pool = a; fate = "not ended"; kind = OPEN; break;
        case QUEUED: since = time; break;
        case BOUND: status = 0; break;
        case REFUSED: kind = BAD; fate = a < 2 ? "refused by a limit" : "failed"; break;
        case CANCELLED: kind = GIVEN_UP; fate = "given up"; break;
        case ANSWERED: status = a; fate = String(a); kind = a < 400 ? OK : a < 500 ? CLIENT : BAD; break;
        case ENDED:
          if (a === CUT_HERE) { kind = GIVEN_UP; fate = "given up"; }
          if (a > CUT_HERE) { kind = BAD; fate = status ? status + ", cut off" : "failed"; }
          break;
        case BROKE: if (!status) { kind = BAD; fate = "failed"; } break;
        case FAILED: if (fate !== "refused by a limit") { kind = BAD; fate = "failed"; } break;
      }
      at += 2 + ARGUMENTS[what];
    }
    all.ended[index] = time;
    if (since >= 0) {
      time = length;
      all.ended[index] = length;
      waitEnds();
    }
    all.kind[index] = kind;
    all.fate[index] = fate;
  }
  all.waits = waits;
  all.order = Uint32Array.from({ length: count }, (_, index) => index).sort((a, b) => all.asked[a] - all.asked[b]);
  return all;
})();

const connections = (() => {
  const rows = data.connections.rows, all = [];
  const request = [], from = [], to = [], end = [];
  for (let at = 0; at < rows.length;) {
    const [pool, index, generation, ordered, reason, cause, up, ordering, why, gone, by, served] = rows.slice(at, at + 12);
    const after = (time) => (time < 0 ? -1 : ordered + time);
    const one = {
      number: all.length, pool, name: "c" + index + "." + generation, ordered, reason, cause,
      up: after(up), ordering: after(ordering), why, gone: after(gone), by, first: request.length, served, remarks: [],
    };
    at += 12;
    let last = ordered;
    for (let left = served; left > 0; left--, at += 4) {
      last += rows[at + 1];
      request.push(rows[at]);
      from.push(last);
      to.push(rows[at + 2] < 0 ? (one.gone < 0 ? length : one.gone) : last + rows[at + 2]);
      end.push(rows[at + 3]);
    }
    one.until = one.gone < 0 ? length : one.gone;
    all.push(one);
  }
  for (const [index, words] of data.connections.remarks) all[index].remarks.push(words);
  const exchanges = {
    request: Uint32Array.from(request), from: Float64Array.from(from),
    to: Float64Array.from(to), end: Int8Array.from(end),
  };
  return { all, exchanges };
})();
const exchanges = connections.exchanges;

// The cause of a connection's end, as the tables of the page have it, and whether it is trouble.
const TROUBLE = new Set([0, 8, 9, 11, 13, 14, 16]);
function closing(one) {
  if (one.why >= 0) return { words: words.close[one.why], bad: TROUBLE.has(one.why) };
  if (one.gone < 0) return null;
  if (one.up < 0) return { words: "the attempt to connect failed", bad: true };
  const last = one.served > 0 ? exchanges.end[one.first + one.served - 1] : -1;
  if (last === CUT_HERE) return { words: "its exchange was given up", bad: false };
  if (last > CUT_HERE) return { words: "the peer cut an exchange", bad: true };
  return { words: one.by === 1 ? "the peer closed it between exchanges" : "this side closed it", bad: false };
}
for (const one of connections.all) one.end = closing(one);

for (const cluster of data.clusters) {
  const rows = cluster.levels, count = rows.length / 5;
  cluster.at = new Float64Array(count);
  const names = ["connecting", "connected", "pending", "active"];
  for (const name of names) cluster[name] = new Float64Array(count);
  const now = [0, 0, 0, 0];
  for (let index = 0, at = 0; index < count; index++) {
    at += rows[index * 5];
    cluster.at[index] = at;
    names.forEach((name, which) => { cluster[name][index] = now[which] += rows[index * 5 + 1 + which]; });
  }
  cluster.levels = null;
}

// A pool is forgotten when it has nothing left, and made anew: here it is one place with one queue.
const places = [];
{
  const known = new Map();
  data.pools.forEach((pool, index) => {
    const key = [pool.worker, pool.cluster, pool.label].join(" ");
    if (!known.has(key)) {
      known.set(key, { worker: pool.worker, cluster: pool.cluster, label: pool.label, waits: [], connections: [] });
      places.push(known.get(key));
    }
    pool.place = known.get(key);
    for (const wait of requests.waits[index]) pool.place.waits.push(wait);
  });
  for (const one of connections.all) data.pools[one.pool].place.connections.push(one);
}

// The first of `count` sorted things, `of(index)`, that is above `value`.
function above(count, of, value) {
  let low = 0, high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (of(middle) > value) high = middle; else low = middle + 1;
  }
  return low;
}

function nameOf(request) {
  return data.workers[requests.worker[request]].worker + ":" + requests.number[request];
}

// A length of time with three digits and a unit.
function duration(nanos) {
  if (nanos <= 0) return "0 ms";
  const [value, unit] = nanos >= 1e9 ? [nanos / 1e9, "s"] : nanos >= 1e6 ? [nanos / 1e6, "ms"] : [nanos / 1e3, "µs"];
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2) + " " + unit;
}

// A time within the run.
function moment(nanos) {
  return (nanos / 1e6).toFixed(3) + " ms";
}
