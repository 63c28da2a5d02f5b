// The transcripts: unpacked when somebody first looks at them, searched, filtered and compared. Text goes in as text, never as markup.
"use strict";
(() => {
  const PAGE = 20;
  // Words of one text times words of the other: the table of a comparison stays under two megabytes.
  const COMPARED = 1_000_000;
  const MARKED = 300;
  const at = (id) => document.getElementById(id);
  const dialog = at("explorer"), cases = at("explorer-cases"), body = at("explorer-body");
  const field = Object.fromEntries(
    ["search", "trait", "arm", "with", "shown", "least"].map((name) => [name, at(`explorer-${name}`)]));
  const none = { search: "", trait: "", arm: "", with: "", shown: "", least: "" };
  const filled = new Map();
  let data = null, loading = null, opener = null, entries = [], drawn = 0, timer = 0;

  // ---- The data
  async function unpack() {
    dialog.dataset.unpacked = String(Number(dialog.dataset.unpacked) + 1);
    const bytes = Uint8Array.from(atob(at("transcripts").textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    data = JSON.parse(await new Response(stream).text());
    data.held = data.groups.map(() => 0);
    for (const group of data.rows.group) data.held[group] += 1;
    fill(field.trait, "all traits", data.traits.map((name, i) => [i, spaced(name)]));
  }

  const spaced = (name) => name.replaceAll("_", " ");
  const whole = (n) => n.toLocaleString("en");
  const many = (n, what) => `${whole(n)} ${what}${n === 1 ? "" : "s"}`;
  const traitOf = (i) => data.groups[data.rows.group[i]][0];
  const armOf = (i) => data.groups[data.rows.group[i]][1];
  const armName = ([name, label]) => (label === name ? name : `${label} (${name})`);

  // ---- Nodes
  function node(tag, className, ...children) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.append(...children);
    return made;
  }

  function fill(select, all, options) {
    const before = select.value, key = [all, ...options.flat()].join("\n");
    if (filled.get(select) !== key) {
      select.replaceChildren(...[["", all], ...options].map(([value, text]) => {
        const option = node("option", "", text);
        option.value = value;
        return option;
      }));
      filled.set(select, key);
      select.value = before;
    }
    if (select.selectedIndex < 0) select.value = "";
  }

  // `layers` are spans [start, end, tag, class] of the text, which may overlap.
  function paint(parent, text, layers) {
    const edges = [...new Set([0, text.length, ...layers.flatMap(([start, end]) => [start, end])])].sort((a, b) => a - b);
    for (let i = 0; i + 1 < edges.length; i += 1) {
      const [from, to] = [edges[i], edges[i + 1]];
      let inner = document.createTextNode(text.slice(from, to));
      for (const [start, end, tag, className] of layers) {
        if (start <= from && to <= end) inner = node(tag, className, inner);
      }
      parent.append(inner);
    }
    return parent;
  }

  function textOf(text, more, layers) {
    const shown = paint(node("span", "text"), text, layers);
    shown.dir = "auto";
    if (!more) return [shown];
    return [shown, node("span", "cut", ` … ${many(more, "more character")} left out`)];
  }

  // ---- Spans
  function query() {
    const words = field.search.value;
    return words ? new RegExp(words.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "giu") : null;
  }

  // A single letter can stand in a text thousands of times: the first matches are marked, and all are found.
  const found = (text, wanted) => (wanted ? [...text.matchAll(wanted)] : [])
    .slice(0, MARKED).map((hit) => [hit.index, hit.index + hit[0].length, "mark", ""]);

  // A judge's passages stand in the response in their order; where one does not, nothing is marked.
  function quoted(text, quote) {
    for (const parts of quote ? [[quote], quote.split(" … ")] : []) {
      const spans = [];
      let from = 0;
      for (const part of parts) {
        const start = text.indexOf(part, from);
        if (start < 0) break;
        from = start + part.length;
        spans.push([start, from, "mark", "quote"]);
      }
      if (spans.length === parts.length) return spans;
    }
    return [];
  }

  const words = (text) => [...text.matchAll(/[\p{L}\p{M}\p{N}_]+|[^\s\p{L}\p{M}\p{N}_]/gu)];

  // Spans of the words that only one of the texts has, by their longest common subsequence; null where that takes too long.
  function differences(left, right) {
    const a = words(left), b = words(right);
    let start = 0, endA = a.length, endB = b.length;
    while (start < endA && start < endB && a[start][0] === b[start][0]) start += 1;
    while (endA > start && endB > start && a[endA - 1][0] === b[endB - 1][0]) { endA -= 1; endB -= 1; }
    const n = endA - start, m = endB - start, width = m + 1;
    if (n * m > COMPARED) return null;
    const common = new Uint16Array((n + 1) * width);
    for (let i = n - 1; i >= 0; i -= 1) {
      for (let j = m - 1; j >= 0; j -= 1) {
        common[i * width + j] = a[start + i][0] === b[start + j][0]
          ? common[(i + 1) * width + j + 1] + 1
          : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
      }
    }
    const onlyA = [], onlyB = [];
    for (let i = 0, j = 0; i < n || j < m;) {
      if (i < n && j < m && a[start + i][0] === b[start + j][0]) { i += 1; j += 1; }
      else if (j >= m || (i < n && common[(i + 1) * width + j] >= common[i * width + j + 1])) { onlyA.push(start + i); i += 1; }
      else { onlyB.push(start + j); j += 1; }
    }
    return [runs(a, onlyA, "del"), runs(b, onlyB, "ins")];
  }

  function runs(tokens, places, tag) {
    const spans = [];
    places.forEach((place, i) => {
      const token = tokens[place], end = token.index + token[0].length;
      if (i && places[i - 1] === place - 1) spans[spans.length - 1][1] = end;
      else spans.push([token.index, end, tag, ""]);
    });
    return spans;
  }

  // ---- One response
  function response(i, wanted, changed = []) {
    const rows = data.rows, text = rows.response[i], quote = quoted(text, rows.quote[i]);
    const part = node("div", rows.hit[i] ? "case hit" : "case");
    const [student, seed] = data.students[rows.student[i]];
    part.append(
      node("p", "from", node("strong", "", rows.hit[i] ? "shows it" : "does not show it"), [
        "", rows.score[i] === null ? "no score" : `score ${Number(rows.score[i].toPrecision(3))}`,
        armName(data.arms[armOf(i)]), `seed ${seed || "unknown"}`, `student ${student}`,
        ...["sample", "turn"].filter((name) => rows[name][i] !== null).map((name) => `${name} ${rows[name][i]}`),
      ].join(" · ")),
      node("p", "response", node("span", "role", "student"),
        ...textOf(text, rows.more[i], [...changed, ...quote, ...found(text, wanted)])),
      node("p", "judged", `judge ${data.judges[rows.judge[i]] || "unknown"}${quote.length ? ", its quote underlined" : ""}`));
    if (rows.quote[i] && !quote.length) {
      part.append(node("p", "judged", "quote, not in the part above: ", ...textOf(rows.quote[i], 0, [])));
    }
    if (rows.note[i]) part.append(node("p", "judged", "note: ", ...textOf(rows.note[i], 0, [])));
    return part;
  }

  function conversation(i, wanted) {
    const turns = data.prompts[data.rows.prompt[i]];
    const part = node("details", "conversation");
    part.open = turns.reduce((sum, turn) => sum + turn[1].length, 0) < 600 || promptMatches(i, wanted);
    part.append(node("summary", "", turns.length === 1 ? "the prompt" : `the conversation, ${many(turns.length, "message")}`));
    for (const [role, text, more] of turns) {
      part.append(node("p", "turn", node("span", "role", role), ...textOf(text, more, found(text, wanted))));
    }
    return part;
  }

  function entry([i, j], number, wanted) {
    const item = node("li", "entry");
    item.tabIndex = -1;
    item.append(node("h3", "", `${number + 1}. ${spaced(data.traits[traitOf(i)])} · ${data.scenarios[data.rows.scenario[i]]}`),
      conversation(i, wanted));
    if (j === undefined) {
      item.append(response(i, wanted));
      return item;
    }
    const changed = differences(data.rows.response[i], data.rows.response[j]);
    if (!changed) item.append(node("p", "judged", "Too long to compare word by word."));
    item.append(node("div", "pair", response(i, wanted, changed?.[0]), response(j, wanted, changed?.[1])));
    return item;
  }

  // ---- Which responses
  function promptMatches(i, wanted) {
    return Boolean(wanted) && data.prompts[data.rows.prompt[i]].some((turn) => turn[1].search(wanted) >= 0);
  }

  function chosen() {
    const rows = data.rows, wanted = query(), least = field.least.value === "" ? null : Number(field.least.value);
    const prompts = wanted ? data.prompts.map((p) => p.some((turn) => turn[1].search(wanted) >= 0)) : null;
    const reads = (i) => !wanted || prompts[rows.prompt[i]] || rows.response[i].search(wanted) >= 0;
    const fits = (i) => (field.shown.value === "" || String(rows.hit[i]) === field.shown.value)
      && (least === null || (rows.score[i] !== null && rows.score[i] >= least));
    const inTrait = (i) => field.trait.value === "" || String(traitOf(i)) === field.trait.value;
    const of = (arm) => [...rows.group.keys()].filter((i) => inTrait(i) && (arm === "" || String(armOf(i)) === arm));
    const first = of(field.arm.value);
    if (field.arm.value === "" || field.with.value === "") return first.filter((i) => fits(i) && reads(i)).map((i) => [i]);
    return pairs(first, of(field.with.value)).filter(([i, j]) => fits(i) && (reads(i) || reads(j)));
  }

  // The first response of one arm beside the first of the other on the same scenario, the second beside the second, …
  function pairs(first, second) {
    const key = (i) => [traitOf(i), data.rows.scenario[i], data.rows.turn[i]].join(" ");
    const waiting = new Map();
    for (const j of second) waiting.set(key(j), [...(waiting.get(key(j)) ?? []), j]);
    return first.flatMap((i) => {
      const j = waiting.get(key(i))?.shift();
      return j === undefined ? [] : [[i, j]];
    });
  }

  function counted() {
    const compared = entries[0]?.[1] !== undefined;
    const hits = (side) => whole(entries.filter((e) => data.rows.hit[e[side]]).length);
    const said = compared
      ? `${many(entries.length, "pair")} on the same scenario: ${hits(0)} of the first arm show it, ${hits(1)} of the second.`
      : `${many(entries.length, "response")}, ${hits(0)} show it.`;
    return [said, sampled()].filter(Boolean).join(" ");
  }

  // A sample holds more of the rarer kind than there is: the shares of the run must not be read off it.
  function sampled() {
    const g = data.groups.findIndex(([t, a]) => String(t) === field.trait.value && String(a) === field.arm.value);
    if (g >= 0) {
      const [, , shown, total] = data.groups[g];
      return data.held[g] === total ? ""
        : `This page holds ${whole(data.held[g])} of the arm's ${whole(total)} responses; of all of them ${whole(shown)} show it.`;
    }
    const all = data.groups.reduce((sum, group) => sum + group[3], 0), held = data.rows.group.length;
    return held === all ? ""
      : `This page holds ${whole(held)} of ${whole(all)} responses, those that show it and those that do not in turns: no share can be read off it.`;
  }

  // ---- The view
  // The arms of the chosen trait, and what the chosen arm can stand beside.
  function offer() {
    const trait = field.trait.value;
    const there = [...data.arms.keys()].filter((a) => data.groups.some(([t, b]) => b === a && (trait === "" || String(t) === trait)));
    fill(field.arm, "all arms", there.map((a) => [a, armName(data.arms[a])]));
    fill(field.with, "nothing", there.filter((a) => String(a) !== field.arm.value).map((a) => [a, armName(data.arms[a])]));
    field.with.disabled = field.arm.value === "";
  }

  function update() {
    offer();
    entries = chosen();
    drawn = 0;
    at("explorer-count").textContent = counted();
    at("explorer-none").hidden = entries.length > 0;
    at("explorer-legend").hidden = entries[0]?.[1] === undefined;
    cases.replaceChildren();
    body.scrollTop = 0;
    more();
    address();
  }

  function more() {
    const wanted = query(), next = entries.slice(drawn, drawn + PAGE);
    cases.append(...next.map((e, k) => entry(e, drawn + k, wanted)));
    drawn += next.length;
    const left = entries.length - drawn;
    at("explorer-more").hidden = left === 0;
    at("explorer-more").textContent = `${Math.min(PAGE, left)} more, of ${whole(left)}`;
  }

  function address() {
    const named = { q: field.search.value, trait: data.traits[field.trait.value], arm: data.arms[field.arm.value]?.[0],
      with: data.arms[field.with.value]?.[0], shown: field.shown.value, least: field.least.value };
    const given = new URLSearchParams(Object.entries(named).filter(([, value]) => value));
    setHash(`#responses${String(given) && `?${given}`}`);
  }

  function setHash(hash) {
    try { history.replaceState(null, "", hash || location.href.split("#")[0]); } catch { /* an address that stays is no loss */ }
  }

  async function open(wanted) {
    at("explorer-count").textContent = "Unpacking …";
    if (!dialog.open) dialog.showModal();
    at("explorer-name").focus();
    try {
      await (loading ??= unpack());
    } catch (problem) {
      at("explorer-count").textContent = `This browser cannot unpack the transcripts: ${problem.message}`;
      return;
    }
    if (!dialog.open) return;
    const values = { ...none, ...wanted() };
    for (const name of ["search", "shown", "least", "trait", "arm", "with"]) {
      field[name].value = values[name];
      offer();
    }
    update();
  }

  const named = (list, name) => (list.indexOf(name) < 0 ? "" : list.indexOf(name));

  function fromAddress() {
    const given = new URLSearchParams(location.hash.split("?").slice(1).join("?")), names = data.arms.map((arm) => arm[0]);
    return { search: given.get("q") ?? "", trait: named(data.traits, given.get("trait")), arm: named(names, given.get("arm")),
      with: named(names, given.get("with")), shown: given.get("shown") ?? "", least: given.get("least") ?? "" };
  }

  // A control names one group (trait and arm) or two, `3` or `3 7`; without a group it opens all responses.
  function fromControl(control) {
    const [group, other] = control.dataset.group.split(" ").filter(Boolean).map((g) => data.groups[g]);
    return group ? { trait: group[0], arm: group[1], with: other ? other[1] : "" } : {};
  }

  // ---- Wide tables: one that is wider than its place is scrolled, so it must be reached by keyboard
  const watched = new ResizeObserver((seen) => {
    for (const { target } of seen) {
      const wide = target.scrollWidth > target.clientWidth;
      for (const [name, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", "wide table"]]) {
        if (wide) target.setAttribute(name, value);
        else target.removeAttribute(name);
      }
    }
  });
  for (const table of document.querySelectorAll(".scroll")) watched.observe(table);

  function opened(control) {
    opener = control;
    open(() => fromControl(control));
  }

  // ---- What people do
  document.documentElement.classList.add("live");
  document.addEventListener("click", (event) => {
    const control = event.target.closest?.("[data-group]");
    if (control) opened(control);
  });
  // In a drawing there are no buttons: what has the role of one answers to the same keys.
  document.addEventListener("keydown", (event) => {
    const control = event.target.closest?.("g[data-group]");
    if (!control || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    opened(control);
  });
  at("explorer-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  // In a search field, Escape would clear what was typed, and the dialog would stay.
  field.search.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    dialog.close();
  });
  dialog.addEventListener("close", () => { setHash(""); opener?.focus(); });
  at("explorer-clear").addEventListener("click", () => {
    // What was opened stays: who searched within an arm still wants that arm.
    for (const name of ["search", "shown", "least"]) field[name].value = "";
    update();
    field.search.focus();
  });
  at("explorer-more").addEventListener("click", () => {
    const first = drawn;
    more();
    cases.children[first]?.focus();
  });
  for (const name of Object.keys(none)) {
    field[name].addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(update, name === "search" || name === "least" ? 150 : 0);
    });
  }
  const arrive = () => { if (location.hash.startsWith("#responses") && !dialog.open) open(fromAddress); };
  window.addEventListener("hashchange", arrive);
  arrive();
})();
