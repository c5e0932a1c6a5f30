// Where everything stands from top to bottom: per cluster its levels, per pool its queue and lanes.

const ROW = 14, GAP = 2, HEADING = 24, CHART = 46, AXIS = 22;
const MOST_EACH = 40, QUEUE_ROWS = 30;

// Puts intervals, sorted by their beginning, into as few rows as do not overlap; with a limit, what
// needs more rows is left out.
function pack(intervals, limit = Infinity) {
  const rows = [], ends = [];
  for (const one of intervals) {
    let row = ends.findIndex((end) => end <= one.from);
    if (row < 0) {
      row = rows.length;
      if (row >= limit) continue;
      rows.push([]);
    }
    ends[row] = one.to;
    rows[row].push(one);
  }
  return rows;
}

for (const place of places) {
  place.waits.sort((a, b) => a.from - b.from);
  // The chart of the cluster tells how long the queue really was.
  place.waits = pack(place.waits, QUEUE_ROWS);
  place.connections.sort((a, b) => a.ordered - b.ordered);
}

function lanesOf(pool, packed) {
  const all = pool.connections;
  if (!packed) return all.map((one) => [one]);
  return pack(all.map((one) => ({ from: one.ordered, to: one.until, one }))).map((row) => row.map((at) => at.one));
}

// The tracks to draw for a worker (-1: all), and their height together.
function layout(worker, packed) {
  const tracks = [];
  let y = 0;
  const add = (track, height, gap = GAP) => {
    tracks.push(Object.assign(track, { y, height }));
    y += height + gap;
  };
  data.clusters.forEach((cluster, index) => {
    const pools = places.filter((pool) => pool.cluster === index && (worker < 0 || pool.worker === worker));
    if (!pools.length) return;
    const priority = cluster.priority && ", " + cluster.priority;
    const shared = data.workers.length > 1 && cluster.at.length ? "levels: all workers together" : "";
    add({ kind: "heading", text: cluster.name + priority, more: shared, level: 1 }, HEADING);
    const charts = [
      ["connections", "max_connections", ["connected", "connecting"], ["--idle", "--connecting"]],
      ["queued", "max_pending_requests", ["pending"], ["--wait"]],
      ["in progress", "max_requests", ["active"], ["--ok"]],
    ];
    charts.forEach(([name, setting, series, colours], which) => {
      const limit = cluster.limits[which];
      const sum = series.length > 1 ? cluster[series[0]].map((value, at) => value + cluster[series[1]][at]) : cluster[series[0]];
      const peak = sum.reduce((a, b) => Math.max(a, b), 0);
      // A limit far above what was used would flatten the chart: then it is only told.
      const top = limit <= peak * 4 ? Math.max(limit, peak) : peak;
      add({ kind: "chart", cluster, name, setting, limit, series, sum, colours, peak, top: Math.max(top, 1) * 1.12 }, CHART, 6);
    });
    for (const pool of pools) {
      const many = pool.connections.length;
      const note = many + (many === 1 ? " connection" : " connections");
      add({ kind: "heading", text: pool.label, more: "worker " + data.workers[pool.worker].worker + " · " + note, level: 2 }, HEADING - 4);
      if (pool.waits.length) {
        const row = Math.max(1, Math.min(6, Math.floor(60 / pool.waits.length)));
        add({ kind: "queue", pool, row }, Math.max(pool.waits.length * row, 10));
      }
      for (const lane of lanesOf(pool, packed)) add({ kind: "lane", pool, lane }, ROW);
      y += 8;
    }
  });
  return { tracks, height: y };
}

const isMany = places.some((pool) => pool.connections.length > MOST_EACH);
