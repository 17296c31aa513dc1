// The plan's sketches of a heap, a B+tree, an LRU pool and their metrics, as straightforward JavaScript: what the engine's speed is
// compared with. Algorithms are the sketches' own: objects for nodes, pages and events, arrays searched from the front, a map of
// cached pages with a list of their order.

const PAGE_BYTES = 8192;
const FILL_FACTOR = 0.9;
const FANOUT = 128;

class MetricsCollector {
  counters = new Map();
  histograms = new Map();

  increment(name, by) {
    this.counters.set(name, (this.counters.get(name) ?? 0) + by);
  }

  recordHistogram(name, value) {
    const values = this.histograms.get(name);
    if (values) values.push(value);
    else this.histograms.set(name, [value]);
  }

  percentile(name, part) {
    const sorted = Float64Array.from(this.histograms.get(name) ?? [0]).sort();
    return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  }
}

// Events of a run that is not traced are built and counted, as the sketches do, and not kept.
class Events {
  count = 0;
  emit(event) {
    this.count += event.payload === undefined ? 0 : 1;
  }
}

class Page {
  constructor(id) {
    this.id = id;
    this.used = 0;
    this.records = [];
  }

  canFit(size) {
    return this.used + size <= PAGE_BYTES * FILL_FACTOR || this.records.length === 0;
  }
}

class HeapFileStorage {
  pages = [];

  constructor(metrics, events) {
    this.metrics = metrics;
    this.events = events;
  }

  insert(record) {
    let page = this.pages[this.pages.length - 1];
    if (!page || !page.canFit(record.size)) {
      page = new Page(this.pages.length);
      this.pages.push(page);
      this.events.emit({ type: "page_allocated", payload: { page_id: page.id } });
    }
    page.records.push(record);
    page.used += record.size;
    this.metrics.increment("pages_written", 1);
    this.events.emit({ type: "record_inserted", payload: { page_id: page.id, record_id: record.id } });
    return { page: page.id, slot: page.records.length - 1 };
  }

  readPage(id) {
    return this.pages[id];
  }
}

class BTreeNode {
  constructor(isLeaf) {
    this.isLeaf = isLeaf;
    this.keys = [];
    this.children = [];
    this.values = [];
  }

  // The place of the first key above `key`.
  upper(key) {
    let low = 0;
    let high = this.keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.keys[middle] <= key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

class BTreeIndex {
  root = new BTreeNode(true);

  constructor(metrics, events) {
    this.metrics = metrics;
    this.events = events;
  }

  lookup(key) {
    let node = this.root;
    let depth = 0;
    while (!node.isLeaf) {
      this.events.emit({ type: "btree_traverse", payload: { depth, node_id: depth } });
      node = node.children[node.upper(key)];
      depth++;
    }
    this.metrics.increment("btree_lookups", 1);
    this.metrics.recordHistogram("btree_depth", depth);
    const place = node.upper(key) - 1;
    return node.keys[place] === key ? node.values[place] : null;
  }

  insert(key, value) {
    const split = this.insertInto(this.root, key, value);
    if (split) {
      const root = new BTreeNode(false);
      root.keys.push(split.key);
      root.children.push(this.root, split.node);
      this.root = root;
    }
  }

  insertInto(node, key, value) {
    const place = node.upper(key);
    if (node.isLeaf) {
      node.keys.splice(place, 0, key);
      node.values.splice(place, 0, value);
    } else {
      const split = this.insertInto(node.children[place], key, value);
      if (split) {
        node.keys.splice(place, 0, split.key);
        node.children.splice(place + 1, 0, split.node);
      }
    }
    return node.keys.length > FANOUT ? this.split(node) : null;
  }

  split(node) {
    const middle = node.keys.length >> 1;
    const right = new BTreeNode(node.isLeaf);
    const key = node.keys[middle];
    if (node.isLeaf) {
      right.keys = node.keys.splice(middle);
      right.values = node.values.splice(middle);
    } else {
      right.keys = node.keys.splice(middle + 1);
      node.keys.pop();
      right.children = node.children.splice(middle + 1);
    }
    this.metrics.increment("btree_splits", 1);
    return { key, node: right };
  }
}

class LRUBufferPool {
  cache = new Map();
  lruList = [];

  // `asMap`: the order of use is the map's order of insertion, instead of an array that is searched and shifted.
  constructor(capacity, asMap, metrics, events) {
    Object.assign(this, { capacity, asMap, metrics, events });
  }

  getPage(id, storage) {
    const cached = this.cache.get(id);
    if (cached !== undefined) {
      this.moveToFront(id, cached);
      this.metrics.increment("cache_hits", 1);
      return cached;
    }
    this.metrics.increment("cache_misses", 1);
    const page = storage.readPage(id);
    this.events.emit({ type: "page_read_from_disk", payload: { page_id: id, latency_us: 1500 } });
    if (this.cache.size >= this.capacity) {
      this.events.emit({ type: "page_evicted", payload: { page_id: this.evict() } });
    }
    this.cache.set(id, page);
    if (!this.asMap) this.lruList.unshift(id);
    return page;
  }

  moveToFront(id, page) {
    if (this.asMap) {
      this.cache.delete(id);
      this.cache.set(id, page);
    } else {
      this.lruList.splice(this.lruList.indexOf(id), 1);
      this.lruList.unshift(id);
    }
  }

  evict() {
    const evicted = this.asMap ? this.cache.keys().next().value : this.lruList.pop();
    this.cache.delete(evicted);
    return evicted;
  }
}

// Zipf by inverse distribution function.
function zipf(count, theta, random) {
  const upTo = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) upTo[rank] = sum += (rank + 1) ** -theta;
  return () => {
    const point = random() * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (upTo[middle] < point) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function processorSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Loads `records` rows in random order and runs `operations` of them; processor seconds of both parts, and the metrics. */
export function run({ records, operations, poolPages, recordBytes, updateFraction, asMap, seed = 1 }) {
  const metrics = new MetricsCollector();
  const events = new Events();
  const random = generator(seed);
  const heap = new HeapFileStorage(metrics, events);
  const index = new BTreeIndex(metrics, events);
  const pool = new LRUBufferPool(poolPages, asMap, metrics, events);

  const loading = processorSeconds();
  const keys = Uint32Array.from({ length: records }, (_, key) => key);
  for (let last = records - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [keys[last], keys[other]] = [keys[other], keys[last]];
  }
  for (const key of keys) index.insert(key, heap.insert({ id: key, size: recordBytes, version: 0 }));
  const draw = zipf(records, 0.99, random);

  const running = processorSeconds();
  for (let operation = 0; operation < operations; operation++) {
    const key = keys[draw()];
    const updates = random() < updateFraction;
    const place = index.lookup(key);
    const hits = metrics.counters.get("cache_hits") ?? 0;
    const page = pool.getPage(place.page, heap);
    const record = page.records[place.slot];
    if (updates) {
      record.version++;
      metrics.increment("pages_written", 1);
    }
    metrics.recordHistogram("latency_us", (metrics.counters.get("cache_hits") ?? 0) > hits ? 2 : 1500);
  }
  const latency = { p50: metrics.percentile("latency_us", 0.5), p99: metrics.percentile("latency_us", 0.99) };
  const done = processorSeconds();
  return {
    loadSeconds: running - loading,
    runSeconds: done - running,
    latency,
    counters: Object.fromEntries(metrics.counters),
  };
}
