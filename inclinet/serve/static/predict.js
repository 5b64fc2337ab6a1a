// The page that predicts: uploads images in small groups, shows one galaxy at a time, and all of them in a table.

import { call, degrees, draw, make, save } from "./common.js";
import { dial } from "./dial.js";

const GROUP_IMAGES = 12;
const ROUNDING = 0.05;
const GROUP_BYTES = 12 * 2 ** 20;
const CATALOGUE = /\.(csv|tsv|txt|dat)$/i;
const $ = (id) => document.getElementById(id);
const answers = [];
let again = () => {};

function say(text, isError = false) {
  $("status").textContent = text;
  $("status").classList.toggle("error", isError);
}

function fail(error) {
  say(error.message, true);
  if (error.status === 401) $("token-form").hidden = false;
}

// Images of one galaxy stay together: they get one answer.
function groups(files) {
  const catalogue = files.some((file) => CATALOGUE.test(file.name));
  if (catalogue) return [files];
  const galaxy = (file) => /^pgc\d+/i.exec(file.name)?.[0].toLowerCase() ?? file.name;
  const sorted = [...files].sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  const found = [];
  let bytes = 0;
  for (const file of sorted) {
    const last = found.at(-1);
    const same = last && galaxy(last.at(-1)) === galaxy(file);
    if (last && (same || (last.length < GROUP_IMAGES && bytes + file.size < GROUP_BYTES))) {
      last.push(file);
      bytes += file.size;
    } else {
      found.push([file]);
      bytes = file.size;
    }
  }
  return found;
}

async function predict(files) {
  if (!files.length) return;
  again = () => predict(files);
  const alone = files.length === 1 && CATALOGUE.test(files[0].name);
  const all = groups(files);
  const problems = [];
  const first = answers.length;
  let done = 0;
  $("progress").hidden = false;
  for (const group of all) {
    $("progress").max = files.length;
    $("progress").value = done;
    say(alone ? "Fetching the images of the catalogue’s galaxies …" : `Predicting ${done + 1} of ${files.length} …`);
    const form = new FormData();
    form.append("pictures", "true");
    form.append("fetch", String(alone));
    for (const file of group) form.append("files", file, file.name);
    try {
      const response = await call("api/predict", { method: "POST", body: form });
      add((await response.json()).answers);
    } catch (error) {
      problems.push(error);
      if (error.status === 401 || error.status === undefined) break;
    }
    done += group.length;
  }
  $("progress").hidden = true;
  finish(first, problems);
}

function finish(first, problems) {
  const many = answers.length - first;
  if (problems.length) fail(problems.length === 1 ? problems[0] : new Error(problems.map((one) => one.message).join("; ")));
  else say(many === 1 ? "" : `${count(answers.slice(first))}.`);
  if (many) {
    const answered = answers.findIndex((one, number) => number >= first && one.inclination !== null);
    show(answered < 0 ? first : answered);
    if (!problems.length) $("answer").scrollIntoView({ block: "nearest" });
  }
}

// As `inclinet predict` ends: how many, how many of them flagged or without an answer.
function count(some) {
  const answered = some.filter((one) => one.inclination !== null);
  const flagged = answered.filter((one) => one.flags.length).length;
  return `${some.length} galaxies, ${flagged} flagged and ${some.length - answered.length} not predicted`;
}

function add(found) {
  answers.push(...found);
  list();
}

function list() {
  $("list").hidden = answers.length === 0;
  $("count").textContent = answers.length === 1 ? "1 galaxy" : `${answers.length} galaxies`;
  $("rows").replaceChildren(...answers.map(row));
}

function row(answer, number) {
  const button = make("button", { class: "plain", type: "button" }, answer.title);
  button.addEventListener("click", () => {
    show(number);
    $("answer").scrollIntoView({ block: "nearest" });
  });
  const remarks = answer.problem || answer.flags.map((one) => one.flag).join("; ");
  const value = answer.inclination === null ? "–" : `${degrees(answer.inclination)} ± ${degrees(answer.error)}`;
  const range = answer.low95 === null ? "–" : `${degrees(answer.low95)} to ${degrees(answer.high95)}`;
  return make(
    "tr",
    {},
    make("td", {}, answer.picture ? make("img", { src: answer.picture.data, alt: "" }) : ""),
    make("td", {}, button, make("div", { class: answer.inclination === null ? "remarks" : "remarks flagged" }, remarks)),
    make("td", { class: "number" }, value),
    make("td", { class: "number wide-only" }, range),
  );
}

function show(number) {
  const answer = answers[number];
  [...$("rows").children].forEach((one, index) => one.classList.toggle("chosen", index === number));
  $("answer").hidden = false;
  $("answer").replaceChildren(
    make("div", { class: "answer" }, answer.picture ? figure(answer) : make("div"), make("div", {}, ...words(answer))),
  );
}

function figure({ picture, title }) {
  const { ellipse } = picture;
  const parts = [make("img", { src: picture.data, alt: `Image of ${title}` })];
  if (ellipse) {
    const shape = draw("ellipse", {
      cx: ellipse.x,
      cy: ellipse.y,
      rx: ellipse.semi_major,
      ry: ellipse.semi_minor,
      transform: `rotate(${ellipse.position_angle} ${ellipse.x} ${ellipse.y})`,
    });
    parts.push(draw("svg", { viewBox: "0 0 1 1", "aria-hidden": "true" }, shape));
  }
  const text = ellipse ? `${picture.name}, with the measured isophote` : picture.name;
  return make("figure", { class: "picture" }, ...parts, make("figcaption", {}, text));
}

function words(answer) {
  const parts = [make("h2", { class: "title" }, answer.title)];
  if (answer.inclination === null) {
    return [...parts, make("p", {}, `No answer: ${answer.problem}.`)];
  }
  const value = make("strong", { id: "inclination" }, degrees(answer.inclination));
  if (answer.error !== null) value.append(make("small", {}, ` ± ${degrees(answer.error)}`));
  parts.push(make("div", { class: "value" }, value, dial(answer)));
  if (answer.flags.length) {
    const flags = answer.flags.map((one) => make("li", {}, make("b", {}, one.flag), `: ${one.meaning}`));
    parts.push(make("ul", { class: "flags", "aria-label": "Reasons to doubt it" }, ...flags));
  }
  if (answer.problem) parts.push(make("p", { class: "soft" }, answer.problem));
  const facts = {
    "68 % interval": range(answer.low68, answer.high68),
    "95 % interval": range(answer.low95, answer.high95),
    ...Object.fromEntries(Object.entries(answer.networks).map(([name, deg]) => [`network ${name}`, degrees(deg)])),
    ...correction(answer),
    "axis ratio": answer.row.axis_ratio ?? "–",
    "log10(1 / sin i)": answer.row.log_1_sin_i ?? "–",
    images: answer.row.images,
    version: answer.row.version,
  };
  if (answer.row.disagreement !== null && answer.row.n_images > 1) {
    facts["images disagree by"] = degrees(answer.row.disagreement);
  }
  if (answer.row.truth !== undefined && answer.row.truth !== null) facts["in the catalogue"] = degrees(answer.row.truth);
  const terms = Object.entries(facts).flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, String(text))]);
  parts.push(make("dl", {}, ...terms));
  return parts;
}

// What the calibration added to the answers of the networks, where that led out of their range.
function correction({ inclination, networks }) {
  const own = Object.values(networks).sort((a, b) => a - b);
  const outside = inclination < own[0] - ROUNDING || inclination > own.at(-1) + ROUNDING;
  if (!outside) return {};
  const added = inclination - (own[Math.floor((own.length - 1) / 2)] + own[Math.ceil((own.length - 1) / 2)]) / 2;
  return { "correction of them": `${added < 0 ? "−" : "+"}${degrees(Math.abs(added))}` };
}

const range = (low, high) => (low === null ? "–" : `${degrees(low)} to ${degrees(high)}`);

$("files").addEventListener("change", (event) => {
  predict([...event.target.files]);
  event.target.value = "";
});

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragging");
});
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) document.body.classList.remove("dragging");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  predict([...event.dataTransfer.files]);
});
document.addEventListener("paste", (event) => predict([...event.clipboardData.files]));

$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  fetchGalaxy(new FormData(event.target));
});

async function fetchGalaxy(form) {
  again = () => fetchGalaxy(form);
  say(`Fetching the image of ${form.get("name")} …`);
  const first = answers.length;
  try {
    const query = new URLSearchParams({ name: form.get("name"), size: form.get("size"), survey: form.get("survey"), pictures: "true" });
    add((await (await call(`api/galaxy?${query}`)).json()).answers);
    finish(first, []);
  } catch (error) {
    fail(error);
  }
}

$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", new FormData(event.target).get("token"));
  event.target.hidden = true;
  begin();
  again();
});

$("downloads").addEventListener("click", async ({ target }) => {
  const { format } = target.dataset;
  if (!format) return;
  try {
    const body = JSON.stringify({ rows: answers.map((one) => one.row) });
    const headers = { "Content-Type": "application/json" };
    await save(await call(`api/table?format=${format}`, { method: "POST", headers, body }), `inclinations.${format}`);
  } catch (error) {
    fail(error);
  }
});

$("clear").addEventListener("click", () => {
  answers.length = 0;
  $("answer").hidden = true;
  say("");
  list();
  $("files").focus();
});

async function begin() {
  try {
    const version = await (await call("api/version")).json();
    $("trust").textContent = version.about;
    $("trust").classList.toggle("warn", !version.for_science);
    $("to-label").hidden = !version.labelling;
  } catch (error) {
    fail(error);
  }
}

begin();
