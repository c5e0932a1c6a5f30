// Two canvases: the whole run above, the part that is looked at below. What is narrower than a
// pixel is drawn once per pixel, so that the work depends on the window and not on the run.

const chart = document.getElementById("chart"), overview = document.getElementById("overview");
const paint = chart.getContext("2d"), paintOverview = overview.getContext("2d");
const GUTTER = 148;
const view = { from: 0, to: length, scroll: 0, width: 0, height: 0, worker: -1, packed: isMany, selected: -1, hovered: null };
let plan = layout(view.worker, view.packed);
let colours = {};

function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["--ink", "--soft", "--faint", "--ground", "--band", "--idle", "--connecting", "--closing", "--wait",
    "--ok", "--client", "--bad", "--given-up", "--open", "--focus"]) colours[name] = style.getPropertyValue(name).trim();
  colours.kinds = ["--ok", "--client", "--bad", "--given-up", "--open"].map((name) => colours[name]);
}

const scale = () => (view.width - GUTTER) / (view.to - view.from);
const xOf = (time) => GUTTER + (time - view.from) * scale();
const timeOf = (x) => view.from + (x - GUTTER) / scale();

function fit(canvas, context, width, height) {
  const ratio = printing ? 3 : window.devicePixelRatio || 1;
  canvas.style.height = height + "px";
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
}

function resize() {
  // Paper is as wide as a page of text is, whatever the window was.
  view.width = printing ? 1000 : chart.parentElement.clientWidth;
  const most = printing ? 1300 : Math.max(320, window.innerHeight - 150);
  view.height = Math.min(plan.height + AXIS + 4, most);
  fit(chart, paint, view.width, view.height);
  fit(overview, paintOverview, view.width, 36);
  clamp();
  draw();
}

function clamp() {
  const shortest = Math.min(length, 2000);
  const span = Math.min(Math.max(view.to - view.from, shortest), length);
  view.from = Math.min(Math.max(view.from, 0), length - span);
  view.to = view.from + span;
  view.scroll = Math.min(Math.max(view.scroll, 0), Math.max(0, plan.height + AXIS + 4 - view.height));
}

let asked = 0, printing = false;
function draw() {
  if (!asked) asked = requestAnimationFrame(drawNow);
}

function drawNow() {
  asked = 0;
  paint.fillStyle = colours["--ground"];
  paint.fillRect(0, 0, view.width, view.height);
  paint.font = "11px system-ui, sans-serif";
  paint.textBaseline = "middle";
  grid();
  paint.save();
  paint.beginPath();
  paint.rect(0, AXIS, view.width, view.height - AXIS);
  paint.clip();
  for (const track of plan.tracks) {
    const y = track.y + AXIS - view.scroll;
    if (y + track.height < AXIS || y > view.height) continue;
    TRACKS[track.kind](track, y);
  }
  highlight();
  paint.restore();
  scrollBar();
  drawOverview();
}

// Steps of 1, 2 or 5 times a power of ten, a tick each 90 pixels or so.
function step() {
  const wanted = 90 / scale(), power = 10 ** Math.floor(Math.log10(wanted));
  return [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= wanted);
}

function grid() {
  const width = step();
  const [by, name] = view.to > 1e9 && width >= 1e7 ? [1e9, "s"] : view.to > 1e6 ? [1e6, "ms"] : [1e3, "µs"];
  const digits = Math.max(0, Math.ceil(-Math.log10(width / by) - 1e-9));
  for (let tick = Math.ceil(view.from / width) * width; tick <= view.to; tick += width) {
    const x = Math.round(xOf(tick)) + 0.5;
    paint.strokeStyle = colours["--faint"];
    paint.beginPath();
    paint.moveTo(x, AXIS - 4);
    paint.lineTo(x, view.height);
    paint.stroke();
    paint.fillStyle = colours["--soft"];
    paint.textAlign = x > view.width - 40 ? "right" : "center";
    paint.fillText((tick / by).toFixed(digits) + " " + name, x, AXIS / 2 - 1);
  }
  paint.textAlign = "left";
}

function label(text, y, height, colour = colours["--soft"], width = GUTTER - 10) {
  paint.save();
  paint.beginPath();
  paint.rect(0, y, width, height);
  paint.clip();
  paint.fillStyle = colour;
  paint.fillText(text, 6, y + height / 2);
  paint.restore();
}

// The highest value in each column of pixels, what it was before included.
function columns(at, values, width) {
  const highest = new Float64Array(width + 1), each = 1 / scale(), count = at.length;
  let next = above(count, (index) => at[index], view.from), now = next > 0 ? values[next - 1] : 0;
  for (let column = 0; column <= width; column++) {
    const until = view.from + (column + 1) * each;
    let most = now;
    for (; next < count && at[next] < until; next++) {
      now = values[next];
      if (now > most) most = now;
    }
    highest[column] = most;
  }
  return highest;
}

const TRACKS = {
  heading(track, y) {
    paint.fillStyle = track.level === 1 ? colours["--band"] : colours["--ground"];
    paint.fillRect(0, y, view.width, track.height);
    paint.fillStyle = colours["--ink"];
    paint.font = (track.level === 1 ? "600 12px" : "600 11px") + " system-ui, sans-serif";
    const middle = y + track.height / 2;
    paint.fillText(track.text, 6, middle);
    const x = 6 + paint.measureText(track.text).width + 10;
    paint.font = "11px system-ui, sans-serif";
    paint.fillStyle = colours["--soft"];
    paint.fillText(track.more, x, middle);
  },

  chart(track, y) {
    const { cluster, series, limit, top } = track, bottom = y + track.height;
    const high = (value) => bottom - (value / top) * track.height;
    label(track.name, y, 16, colours["--ink"]);
    label("most " + track.peak + (limit > 4e9 ? "" : ", limit " + limit), y + 15, 16);
    const width = view.width - GUTTER, all = columns(cluster.at, track.sum, width);
    const area = (of, colour) => {
      paint.fillStyle = colour;
      for (let column = 0, begin = 0; column <= width; column++) {
        if (column < width && of(column + 1) === of(begin)) continue;
        if (of(begin) > 0) paint.fillRect(GUTTER + begin, high(of(begin)), column + 1 - begin, bottom - high(of(begin)));
        begin = column + 1;
      }
    };
    area((column) => all[column], colours[track.colours[0]]);
    if (series.length > 1) {
      // On top what is opening.
      const opening = columns(cluster.at, cluster[series[1]], width);
      paint.fillStyle = colours[track.colours[1]];
      for (let column = 0; column <= width; column++) {
        const part = Math.min(opening[column], all[column]);
        if (part > 0) paint.fillRect(GUTTER + column, high(all[column]), 1, bottom - high(part));
      }
    }
    if (limit <= top) {
      paint.strokeStyle = colours["--bad"];
      paint.setLineDash([5, 3]);
      paint.beginPath();
      paint.moveTo(GUTTER, Math.round(high(limit)) + 0.5);
      paint.lineTo(view.width, Math.round(high(limit)) + 0.5);
      paint.stroke();
      paint.setLineDash([]);
      const text = track.setting + " " + limit, wide = paint.measureText(text).width, middle = Math.max(high(limit) + 9, y + 8);
      paint.fillStyle = colours["--ground"];
      paint.globalAlpha = 0.85;
      paint.fillRect(view.width - wide - 18, middle - 7, wide + 8, 14);
      paint.globalAlpha = 1;
      paint.fillStyle = colours["--bad"];
      paint.fillText(text, view.width - wide - 14, middle);
    }
    paint.strokeStyle = colours["--faint"];
    paint.strokeRect(GUTTER - 0.5, Math.round(bottom) + 0.5, view.width, 0);
  },

  queue(track, y) {
    label("queue", y, Math.min(track.height, 16));
    track.pool.waits.forEach((row, number) => {
      const top = y + number * track.row, height = Math.max(track.row - (track.row > 2 ? 1 : 0), 1);
      let at = above(row.length, (index) => row[index].to, view.from), edge = -1;
      for (; at < row.length && row[at].from < view.to; at++) {
        const left = xOf(row[at].from), right = Math.max(xOf(row[at].to), left + 1);
        if (right <= edge) continue;
        const kind = requests.kind[row[at].request];
        paint.fillStyle = kind === BAD || kind === GIVEN_UP ? colours.kinds[kind] : colours["--wait"];
        span(left, right, top, height);
        edge = Math.ceil(right);
      }
    });
  },

  lane(track, y) {
    const { lane } = track;
    label(lane.length === 1 ? lane[0].name : lane[0].name + " and " + (lane.length - 1) + " more", y, ROW);
    let at = above(lane.length, (index) => lane[index].until, view.from), edge = -1;
    for (; at < lane.length && lane[at].ordered < view.to; at++) {
      const one = lane[at], right = xOf(one.until);
      // Of connections that share a pixel, one is seen.
      if (right < edge) continue;
      drawConnection(one, y, at + 1 < lane.length ? lane[at + 1].ordered : Infinity);
      edge = Math.max(xOf(one.ordered) + 1, right);
    }
  },
};

function span(left, right, y, height) {
  const from = Math.max(left, GUTTER), to = Math.min(right, view.width);
  if (to > from) paint.fillRect(from, y, to - from, height);
}

function drawConnection(one, y, next) {
  const left = xOf(one.ordered), right = Math.max(xOf(one.until), left + 1);
  const up = one.up < 0 ? right : xOf(one.up), last = one.ordering < 0 ? right : xOf(one.ordering);
  paint.fillStyle = colours["--connecting"];
  span(left, Math.max(up, left + 1), y + 3, ROW - 6);
  paint.fillStyle = colours["--idle"];
  span(up, last, y + 3, ROW - 6);
  if (right - last > 1) {
    paint.fillStyle = colours["--closing"];
    span(last, right, y + 3, ROW - 6);
  }
  drawExchanges(one, y);
  if (left >= GUTTER) {
    paint.fillStyle = colours["--soft"];
    paint.beginPath();
    paint.moveTo(left, y);
    paint.lineTo(left, y + ROW);
    paint.lineTo(left + 3, y + ROW / 2);
    paint.fill();
  }
  if (one.end && right >= GUTTER && right <= view.width) mark(one, right, y, xOf(next));
}

function drawExchanges(one, y) {
  const end = one.first + one.served;
  let at = one.first + above(one.served, (index) => exchanges.to[one.first + index], view.from);
  let pixel = -1, worst = -1;
  const flush = () => {
    if (pixel < 0) return;
    paint.fillStyle = colours.kinds[worst];
    span(pixel, pixel + 1, y + 1, ROW - 2);
    pixel = -1;
  };
  for (; at < end && exchanges.from[at] < view.to; at++) {
    const left = xOf(exchanges.from[at]), right = xOf(exchanges.to[at]), kind = kindOf(at);
    if (right - left < 1) {
      const here = Math.floor(left);
      if (here !== pixel) {
        flush();
        pixel = here;
        worst = kind;
      } else if (kind === BAD) worst = kind;
      continue;
    }
    flush();
    paint.fillStyle = colours.kinds[kind];
    // A line between neighbours, where there is room for one.
    span(left, right - (right - left > 4 ? 1 : 0), y + 1, ROW - 2);
    if (right - left > 60) bar(at, left, right, y);
  }
  flush();
}

function bar(at, left, right, y) {
  const request = exchanges.request[at], from = Math.max(left, GUTTER);
  const text = nameOf(request) + "  " + requests.fate[request] + "  " + duration(exchanges.to[at] - exchanges.from[at]);
  paint.fillStyle = colours["--ground"];
  paint.save();
  paint.beginPath();
  paint.rect(from, y, right - from - 4, ROW);
  paint.clip();
  paint.fillText(text, from + 4, y + ROW / 2 + 0.5);
  paint.restore();
}

// What an exchange looks like: cut ones as failures, even if the request went on elsewhere.
function kindOf(at) {
  const end = exchanges.end[at], kind = requests.kind[exchanges.request[at]];
  if (end > CUT_HERE) return BAD;
  if (end === CUT_HERE) return GIVEN_UP;
  return end < 0 && kind === OK ? OPEN : kind;
}

function mark(one, x, y, next) {
  const middle = y + ROW / 2, size = 3.5;
  paint.strokeStyle = paint.fillStyle = colours[one.end.bad ? "--bad" : "--soft"];
  paint.lineWidth = 1.5;
  paint.beginPath();
  if (one.end.bad) {
    paint.moveTo(x, middle - size);
    paint.lineTo(x + 2 * size, middle + size);
    paint.moveTo(x + 2 * size, middle - size);
    paint.lineTo(x, middle + size);
  } else {
    paint.moveTo(x + 1, y + 2);
    paint.lineTo(x + 1, y + ROW - 2);
  }
  paint.stroke();
  paint.lineWidth = 1;
  const room = Math.min(next, view.width) - x - 14;
  if (room > 30) {
    const text = one.remarks.length && one.up < 0 ? one.end.words + ": " + one.remarks[0] : one.end.words;
    if (paint.measureText(text).width < room) paint.fillText(text, x + 11, middle + 0.5);
  }
}

// Calls `each(left, right, track y, top, height)` with everything that is seen of a request.
function partsOf(request, each) {
  for (const track of plan.tracks) {
    const y = track.y + AXIS - view.scroll;
    if (track.kind === "queue") {
      track.pool.waits.forEach((row, number) => {
        let at = above(row.length, (index) => row[index].to, requests.asked[request] - 1);
        for (; at < row.length && row[at].from <= requests.ended[request]; at++) {
          if (row[at].request === request) each(row[at].from, row[at].to, track, y + number * track.row, track.row);
        }
      });
    } else if (track.kind === "lane") {
      for (const one of track.lane) {
        if (one.until < requests.asked[request] || one.ordered > requests.ended[request]) continue;
        for (let at = one.first; at < one.first + one.served; at++) {
          if (exchanges.request[at] === request) each(exchanges.from[at], exchanges.to[at], track, y, ROW);
        }
      }
    }
  }
}

function highlight() {
  const request = view.selected;
  if (request < 0) return;
  paint.strokeStyle = colours["--focus"];
  paint.globalAlpha = 0.5;
  for (const time of [requests.asked[request], requests.ended[request]]) {
    const x = Math.round(xOf(time)) + 0.5;
    if (x < GUTTER || x > view.width) continue;
    paint.beginPath();
    paint.moveTo(x, AXIS);
    paint.lineTo(x, view.height);
    paint.stroke();
  }
  paint.globalAlpha = 1;
  paint.lineWidth = 2;
  partsOf(request, (from, to, track, top, height) => {
    const left = Math.max(xOf(from), GUTTER), right = Math.min(Math.max(xOf(to), xOf(from) + 2), view.width);
    if (right > left) paint.strokeRect(left - 1.5, top - 1, right - left + 3, height + 2);
  });
  paint.lineWidth = 1;
}

function scrollBar() {
  const all = plan.height + AXIS + 4;
  if (all <= view.height) return;
  const room = view.height - AXIS, size = Math.max(24, (room * view.height) / all);
  paint.fillStyle = colours["--soft"];
  paint.globalAlpha = 0.5;
  paint.fillRect(view.width - 6, AXIS + ((room - size) * view.scroll) / (all - view.height), 4, size);
  paint.globalAlpha = 1;
}

let counted = null;
function begun(width) {
  if (counted && counted.width === width && counted.worker === view.worker) return counted;
  const bins = new Float64Array(width + 1), bad = new Float64Array(width + 1);
  for (let index = 0; index < requests.count; index++) {
    if (view.worker >= 0 && requests.worker[index] !== view.worker) continue;
    const bin = Math.floor((requests.asked[index] / length) * width);
    bins[bin]++;
    if (requests.kind[index] === BAD) bad[bin]++;
  }
  const top = bins.reduce((a, b) => Math.max(a, b), 1);
  return counted = { width, worker: view.worker, bins, bad, top };
}

// How many requests began, bad ones apart, and where the part below lies. A square root keeps what is
// common visible beside a burst.
function drawOverview() {
  const width = view.width - GUTTER, height = 36, { bins, bad, top } = begun(width);
  const high = (count) => count && Math.max(1.5, Math.sqrt(count / top) * (height - 6));
  const context = paintOverview;
  context.fillStyle = colours["--ground"];
  context.fillRect(0, 0, view.width, height);
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.fillStyle = colours["--soft"];
  context.fillText("requests begun", 6, height / 2);
  for (let bin = 0; bin <= width; bin++) {
    context.fillStyle = colours["--ok"];
    context.fillRect(GUTTER + bin, height - high(bins[bin]), 1, high(bins[bin]));
    context.fillStyle = colours["--bad"];
    context.fillRect(GUTTER + bin, height - high(bad[bin]), 1, high(bad[bin]));
  }
  const left = GUTTER + (view.from / length) * width, right = GUTTER + (view.to / length) * width;
  context.globalAlpha = 0.7;
  context.fillStyle = colours["--band"];
  context.fillRect(GUTTER, 0, left - GUTTER, height);
  context.fillRect(right, 0, view.width - right, height);
  context.globalAlpha = 1;
  context.strokeStyle = colours["--focus"];
  context.strokeRect(left + 0.5, 0.5, Math.max(right - left - 1, 2), height - 1);
}
