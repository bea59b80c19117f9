// A run's networks: which keep the limits, which are best then, which cannot be told from the best.
const LAST_DIGIT = 1e-5; // values are stored with six digits

class Run {
  constructor(store, article) {
    this.article = article;
    this.figures = store.figures;
    this.texts = store.texts;
    this.data = store.data;
    this.brushed = {};
    this.axes = { panel: this.data?.quality };
    this.whole = false;
    this.picked = null;
    this.listeners = [];
    this.limits = this.data ? this.own() : [];
    this.all = range(this.data ? this.data.ids.length : 0);
  }

  get objectives() { return this.data.objectives; }
  get costs() { return range(this.objectives.length).filter((k) => k !== this.data.quality); }

  // The run's own budget, by objective
  own() { return this.objectives.map((o, k) => (k === this.data.quality ? null : o.limit)); }

  change() {
    this.now = null;
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.listeners.forEach((listener) => listener());
    });
  }

  // {mask, count, front, best, tied} under the limits and what is brushed
  view() {
    if (this.now) return this.now;
    const barred = new Set(this.data.barred);
    const kept = this.all.map((i) => !barred.has(i) && this.costs.every((k) => this.keeps(i, k)));
    const mask = kept.map((keep, i) => keep && this.inBrush(i));
    const best = this.best(mask);
    const front = this.front(range(this.objectives.length), mask);
    this.now = { kept, mask, count: mask.filter(Boolean).length, best, front, tied: best === null ? [] : this.tied(best, mask) };
    return this.now;
  }

  // Judged by the end of the interval that is nearer to breaking the limit
  keeps(i, k, ends = true) {
    const o = this.objectives[k], limit = this.limits[k];
    if (limit === null) return true;
    const value = ((ends && (o.minimise ? o.high : o.low)) || o.values)[i], slack = LAST_DIGIT * Math.abs(limit);
    return o.minimise ? value <= limit + slack : value >= limit - slack;
  }

  inBrush(i) {
    return Object.entries(this.brushed).every(([k, parts]) => {
      const value = this.objectives[k].values[i];
      return parts.some(([low, high]) => value >= low && value <= high);
    });
  }

  // Is i at least as good as j in k: below 0 better, 0 equal, above 0 worse
  order(i, j, k) {
    const o = this.objectives[k];
    return o.minimise ? o.values[i] - o.values[j] : o.values[j] - o.values[i];
  }

  dominates(i, j, columns) {
    let better = false;
    for (const k of columns) {
      const order = this.order(i, j, k);
      if (order > 0) return false;
      if (order < 0) better = true;
    }
    return better;
  }

  // Those that no other one within the limits dominates; a network can only be dominated by one that sorts before it
  front(columns, mask) {
    const sorted = this.all.filter((i) => mask[i]).sort((i, j) => {
      for (const k of columns) if (this.order(i, j, k)) return this.order(i, j, k);
      return 0;
    });
    const found = [];
    for (const i of sorted) if (!found.some((j) => this.dominates(j, i, columns))) found.push(i);
    return found.sort((i, j) => i - j);
  }

  // By quality, then by the main cost
  best(mask) {
    const { quality, main } = this.data;
    const inside = this.all.filter((i) => mask[i]);
    return inside.length ? inside.reduce((a, b) => ((this.order(b, a, quality) || this.order(b, a, main)) < 0 ? b : a)) : null;
  }

  // Newcombe's interval of the difference of two accuracies contains zero; without intervals, equal values
  tied(best, mask) {
    const o = this.objectives[this.data.quality];
    return this.all.filter((i) => {
      if (!mask[i] || i === best) return false;
      if (!o.low) return o.values[i] === o.values[best];
      const below = o.values[best] - o.low[best], above = o.high[i] - o.values[i];
      return o.values[best] - o.values[i] <= Math.hypot(below, above) + LAST_DIGIT;
    });
  }

  name(i) {
    const letter = this.data.letters[i];
    return letter ? `${letter} · ${this.data.ids[i]}` : this.data.ids[i];
  }

  text(i, k) {
    const o = this.objectives[k];
    return `${significant(o.values[i])} ${o.unit}`.trim();
  }

  // With its interval
  interval(i, k) {
    const o = this.objectives[k];
    return o.low ? `${significant(o.low[i])} to ${significant(o.high[i])}` : "";
  }

  pick(i) {
    this.picked = i;
    this.change();
  }
}
