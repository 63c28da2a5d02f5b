"use strict";
// Everything shown is set as text: names, reasons and responses come from whoever wrote them.
const $ = (id) => document.getElementById(id);
const PAGE = 50;

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function setText(id, text) {
  const element = $(id);
  if (element.textContent !== text) element.textContent = text;
}

// A part of the page is made anew only when what it shows has changed, so that selections and focus stay.
const shown = new Map();
function whenChanged(id, value, build) {
  const key = JSON.stringify(value);
  if (shown.get(id) === key) return;
  shown.set(id, key);
  $(id).replaceChildren(...build());
}

function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function number(value, signed) {
  if (value === null) return "?";
  const text = Math.abs(value).toFixed(2);
  const sign = Number(text) === 0 ? "" : value < 0 ? "−" : signed ? "+" : "";
  return sign + text;
}

// State ---------------------------------------------------------------------

function sentence(state) {
  const students = state.students;
  switch (state.status) {
    case "running": {
      const where = state.stage ? `${state.stage[0].toUpperCase()}${state.stage.slice(1)}` : "Beginning";
      const left = state.left === null ? "" : `, about ${duration(state.left)} left in this stage`;
      return `${where}: ${Math.floor(100 * state.done)} %${left}.`;
    }
    case "finished": return `Finished${state.elapsed ? ` after ${duration(state.elapsed)}` : ""}: ${students.done} of ${students.total} students count.`;
    case "interrupted": return "Interrupted. What is finished is kept: the same command goes on.";
    case "stopped by its budget": return `Stopped by its budget. ${state.why}`;
    case "waiting": return `Waiting. ${state.why}`;
    case "failed": return `Failed: ${state.why}`;
    case "lost": return `Nothing was heard of this run for ${duration(state.age)}: ${state.why}. The same command goes on.`;
    case "stopped": return "This run is not complete; its partial results are written.";
    default: return "The run has not begun yet.";
  }
}

function stages(list, running) {
  return list.map((stage, i) => {
    const now = running && i === list.length - 1;
    const share = `${Math.floor(100 * stage.done)} %`;
    return make("li", now ? { class: "now", "aria-current": "step" } : {},
      draw("svg", { class: "track", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
        draw("rect", { class: "all", width: 100, height: 6 }),
        draw("rect", { class: "part-done", width: 100 * stage.done, height: 6 })),
      make("span", { class: "share" }, stage.done >= 1 ? "done" : share), stage.name);
  });
}

function runningList(students) {
  if (!students.length) return [];
  return [make("ul", { class: "chips", "aria-label": "Students that are running" }, ...students.map((one) =>
    make("li", {}, one.arm, make("span", { class: "muted" }, `seed ${one.seed}`))))];
}

function failureTable(rows, count) {
  if (!rows.length) return [];
  const more = count > rows.length ? ` (${rows.length} of them are shown)` : "";
  return [make("div", { class: "scroll" }, make("table", { class: "students" },
    make("caption", {}, `Students that count nowhere${more}`),
    make("thead", {}, make("tr", {}, ...["arm", "seed", "status", "reason"].map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {},
      make("th", { scope: "row" }, row.arm), make("td", {}, String(row.seed)),
      make("td", { class: "alt" }, row.status), make("td", {}, row.reason))))))];
}

// One row of a trait: its interval on an axis from `low` to `high`, and the same in numbers.
function bar(label, value, low, high, signed, first) {
  const at = (x) => 2 + 196 * Math.min(Math.max((x - low) / (high - low), 0), 1);
  const marks = [draw("line", { class: "axis", x1: 2, x2: 198, y1: 10, y2: 10 }),
    draw("line", { class: "zero", x1: at(0), x2: at(0), y1: 2, y2: 18 })];
  const known = value.estimate !== null;
  if (value.low !== null && value.high !== null) {
    const from = at(value.low);
    marks.push(draw("rect", { class: "interval", x: from, y: 6, width: Math.max(1, at(value.high) - from), height: 8 }));
  }
  if (known) marks.push(draw("rect", { class: "point", x: at(value.estimate) - 1.5, y: 4, width: 3, height: 12 }));
  const interval = value.low === null && value.high === null ? "" : `[${number(value.low, signed)}, ${number(value.high, signed)}]`;
  return make("tr", first ? { class: "gap" } : {}, make("th", { scope: "row" }, label),
    make("td", {}, draw("svg", { class: signed ? "bars" : "bars level", viewBox: "0 0 200 20", preserveAspectRatio: "none", "aria-hidden": "true" }, ...marks)),
    make("td", { class: "n" }, known ? number(value.estimate, signed) : "not known"), make("td", { class: "ci" }, interval));
}

function traits(effects) {
  return effects.map((one) => {
    const levels = [one.original, one.alternate].flatMap((e) => [e.low, e.estimate, e.high]).filter((x) => x !== null);
    const low = Math.min(0, ...levels), high = Math.max(low + one.unit, ...levels);
    const rows = [bar("original", one.original, low, high, false), bar("alternate", one.alternate, low, high, false)];
    for (const part of ["base", "prompts", "teacher"]) rows.push(bar(part, one.effects[part], -one.unit, one.unit, true, part === "base"));
    return make("article", {}, make("h3", {}, one.trait.replaceAll("_", " ")),
      make("p", { class: "muted small" }, "state: ", make("strong", {}, one.state), ", carrier: ", make("strong", {}, one.carrier)),
      make("table", { "aria-label": `${one.trait}: levels in both pipelines and the effect of each part, with 95 % intervals` }, make("tbody", {}, ...rows)));
  });
}

function showState(state) {
  const students = state.students, running = state.status === "running";
  setText("study", state.study || "A run");
  setText("kind", `mendel, ${state.status}`);
  $("dot").className = `dot ${running ? "running" : ["failed", "lost"].includes(state.status) ? "bad" : ""}`;
  setText("says", sentence(state));
  document.title = `${running && students.total ? `${students.done}/${students.total}, ` : `${state.status}: `}${state.study || "mendel"}`;
  $("to-report").hidden = !state.report || running;
  whenChanged("stages", [state.stages, running], () => stages(state.stages, running));
  whenChanged("n-done", [students.done, students.total], () => [String(students.done), make("span", { class: "of" }, ` of ${students.total}`)]);
  setText("n-running", String(students.running.length));
  setText("n-failed", String(students.failed));
  $("n-failed").className = students.failed ? "bad" : "";
  setText("n-waiting", String(students.waiting));
  setText("n-elapsed", duration(state.elapsed));
  setText("n-left", state.left === null ? "–" : duration(state.left));
  whenChanged("running", students.running, () => runningList(students.running));
  whenChanged("failures", [students.failures, students.failed], () => failureTable(students.failures, students.failed));
  const ended = ["finished", "stopped", "stopped by its budget"].includes(state.status);
  setText("h-effects", ended ? "Effects" : "Effects so far");
  setText("about-effects", state.effects.length
    ? "Levels (grey) lie on the trait's own scale from zero; effects (blue) are original minus alternate, around zero. Bars are 95 % intervals."
    : "Not known yet: they are estimated as soon as enough students are done.");
  whenChanged("effects", state.effects, () => traits(state.effects));
  speak(state);
  showSearchable(state);
}

// A screen reader hears of what matters, and not of every second.
let spoken = { key: "", at: 0, status: "" };
function speak(state) {
  const key = [state.status, state.stage, Math.floor(4 * state.done), state.students.failed, state.effects.length].join();
  const pause = Date.now() - spoken.at < 15000 && state.status === spoken.status;
  if (key === spoken.key || pause) return;
  spoken = { key, at: Date.now(), status: state.status };
  const failed = state.students.failed ? ` ${state.students.failed} students failed.` : "";
  $("spoken").textContent = `${sentence(state)} ${state.students.done} of ${state.students.total} students done.${failed}`;
}

let misses = 0;
async function poll() {
  try {
    const answer = await fetch("state", { cache: "no-store", signal: AbortSignal.timeout(8000) });
    if (!answer.ok) throw new Error(String(answer.status));
    showState(await answer.json());
    misses = 0;
    $("apart").hidden = true;
  } catch {
    misses += 1;
    if (misses === 3) {
      $("apart").textContent = "No connection: mendel no longer serves this page. “mendel watch DIR” serves the run again, under a new address.";
      $("apart").hidden = false;
      $("dot").className = "dot";
    }
  }
  setTimeout(poll, document.hidden ? 5000 : misses > 3 ? 5000 : 1000);
}

// Search --------------------------------------------------------------------

let offset = 0, asked = null, searchable = false;

function showSearchable(state) {
  const key = state.searchable ? state.status : "";
  if (searchable === key) return;
  searchable = key;
  if (key) search(0);
  else setText("found", "All responses can be searched here as soon as the run has written its tables, at its end.");
}

function fill(id, values) {
  whenChanged(id, values, () => [make("option", { value: "" }, "all"), ...values.map((value) => make("option", { value }, value))]);
}

// The response with every place that matches marked; case is folded as far as that keeps lengths.
function marked(text, query) {
  const low = text.toLowerCase(), what = query.toLowerCase();
  if (!what || low.length !== text.length) return [text];
  const parts = [];
  let from = 0;
  for (let at = low.indexOf(what); at !== -1 && parts.length < 200; at = low.indexOf(what, from)) {
    parts.push(text.slice(from, at), make("mark", {}, text.slice(at, at + what.length)));
    from = at + what.length;
  }
  return [...parts, text.slice(from)];
}

function cut(count) {
  return count ? [make("span", { class: "muted" }, ` … (${count.toLocaleString("en")} more characters)`)] : [];
}

// A prompt is the conversation as JSON; one that is cut is no longer any, and shown as it is.
function conversation(prompt) {
  try {
    const turns = JSON.parse(prompt);
    const said = turns.map((turn) => (turns.length > 1 ? `${turn.role}: ` : "") + turn.content);
    return said.join("\n");
  } catch {
    return prompt ?? "";
  }
}

function responseRow(row, query) {
  const details = [row.trait.replaceAll("_", " "), row.scenario, row.turn > 1 ? `turn ${row.turn}` : "", row.sample ? `sample ${row.sample}` : "", row.student];
  return make("tr", row.hit ? { class: "hit" } : {},
    make("td", { class: "where" }, make("div", {}, row.arm ?? "no arm"), make("div", { class: "muted small" }, details.filter(Boolean).join(", "))),
    make("td", { class: "n score" }, row.score === null ? "–" : number(row.score), make("div", { class: "small" }, row.hit === null ? "" : row.hit ? "shows it" : "")),
    make("td", { class: "said" },
      make("p", { class: "prompt small text" }, conversation(row.prompt), ...cut(row.prompt_cut)),
      make("p", { class: "response text" }, row.cut_before ? "… " : "", ...marked(row.response ?? "", query), ...cut(row.cut_after))));
}

function showFound(found, query) {
  const last = found.offset + found.rows.length, total = found.total.toLocaleString("en");
  setText("found", found.rows.length
    ? `${total} response${found.total === 1 ? "" : "s"}; ${(found.offset + 1).toLocaleString("en")} to ${last.toLocaleString("en")} shown`
    : "No response matches.");
  $("back").disabled = found.offset === 0;
  $("on").disabled = last >= found.total;
  fill("trait", found.traits);
  fill("arm", found.arms);
  $("rows").replaceChildren(...(found.rows.length ? [make("table", { class: "responses" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col", class: "where" }, "arm, trait, scenario"),
      make("th", { scope: "col", class: "n score" }, "score"), make("th", { scope: "col" }, "prompt and response"))),
    make("tbody", {}, ...found.rows.map((row) => responseRow(row, query))))] : []));
}

async function search(from) {
  if (!searchable || !$("min_score").validity.valid) return;
  offset = from;
  const query = $("query").value;
  const wanted = new URLSearchParams({ query, trait: $("trait").value, arm: $("arm").value, hit: $("hit").value,
    min_score: $("min_score").value, offset: String(from), limit: String(PAGE) });
  asked?.abort();
  const mine = asked = new AbortController();
  $("rows").classList.add("stale");
  try {
    const answer = await fetch(`responses?${wanted}`, { cache: "no-store", signal: mine.signal });
    const found = await answer.json();
    if (mine !== asked) return;
    if (answer.ok) showFound(found, query);
    else setText("found", found.error);
  } catch {
    if (mine !== asked) return;
    setText("found", "No answer: mendel no longer serves this page.");
  }
  $("rows").classList.remove("stale");
}

let later = 0;
$("search").addEventListener("submit", (event) => { event.preventDefault(); search(0); });
$("search").addEventListener("input", () => { clearTimeout(later); later = setTimeout(() => search(0), 300); });
$("back").addEventListener("click", () => search(Math.max(0, offset - PAGE)));
$("on").addEventListener("click", () => search(offset + PAGE));
poll();
