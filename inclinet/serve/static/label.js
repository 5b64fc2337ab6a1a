// The page on which people label galaxies, one after the other.

import { call, make, save } from "./common.js";

const $ = (id) => document.getElementById(id);
const seen = [];
let person = localStorage.getItem("person") ?? "";
let task = null;
let isLevel = true;
$("who").elements.person.value = person;

function say(text, isError = false) {
  $("status").textContent = text;
  $("status").classList.toggle("error", isError);
}

function fail(error) {
  say(error.message, true);
  if (error.status === 401) {
    $("token-field").hidden = false;
    $("who").hidden = false;
  }
}

async function get(path, query = {}) {
  return (await call(`api/label/${path}?${new URLSearchParams(query)}`)).json();
}

function choose(value) {
  $("inclination").value = value;
  $("value").textContent = `${value}°`;
  $("save").replaceChildren(`Save ${value}° (`, make("kbd", {}, "Enter"), ")");
  for (const one of document.querySelectorAll(".strip input")) one.checked = one.value === String(value);
}

function turn() {
  const ellipse = task?.picture?.ellipse;
  $("image").style.transform = isLevel && ellipse ? `rotate(${-ellipse.position_angle}deg)` : "";
  $("level").setAttribute("aria-pressed", String(isLevel));
}

function show(found) {
  task = found;
  $("task").hidden = found.galaxy === null;
  $("done").textContent = `${found.done} of ${found.total} galaxies judged by ${person}.`;
  $("catalogue").hidden = false;
  $("back").disabled = seen.length === 0;
  if (found.galaxy === null) {
    say("You have judged all galaxies. Thank you!");
    return;
  }
  $("title").textContent = found.title;
  $("image").src = found.picture.data;
  choose(found.label?.inclination ?? 67);
  say(found.label?.reason ? `You have rejected it: ${$(`reason-${found.label.reason}`).textContent}.` : "");
  turn();
  $("inclination").focus({ preventScroll: true });
}

async function next(after = "") {
  try {
    show(await get("next", { person, after }));
  } catch (error) {
    fail(error);
  }
}

async function judge(what) {
  try {
    const body = JSON.stringify({ galaxy: task.galaxy, person, ...what });
    await call("api/label", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    seen.push(task.galaxy);
    await next();
  } catch (error) {
    fail(error);
  }
}

async function begin() {
  const { reasons, references } = await get("guide");
  $("references").replaceChildren(...Object.entries(references).map(([kind, discs]) => strip(kind, discs)));
  $("reasons").replaceChildren(
    ...Object.entries(reasons).map(([reason, text]) => {
      const button = make("button", { type: "button", class: "plain", id: `reason-${reason}` }, text);
      button.addEventListener("click", () => judge({ reason }));
      return button;
    }),
  );
  await next();
}

function strip(kind, discs) {
  const name = kind === "early" ? "with a large bulge" : "with a small bulge";
  const labels = discs.map(([deg, file]) => {
    const input = make("input", { type: "radio", name: kind, value: deg });
    input.addEventListener("change", () => choose(deg));
    return make("label", {}, input, make("img", { src: file, alt: "" }), `${deg}°`);
  });
  return make("fieldset", { class: "strip" }, make("legend", { class: "soft" }, name), ...labels);
}

$("who").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  if (form.get("token")) sessionStorage.setItem("token", form.get("token"));
  person = form.get("person").trim();
  localStorage.setItem("person", person);
  try {
    await begin();
    event.target.hidden = true;
  } catch (error) {
    fail(error);
  }
});
$("judge").addEventListener("submit", (event) => {
  event.preventDefault();
  judge({ inclination: Number($("inclination").value) });
});
$("inclination").addEventListener("input", (event) => choose(event.target.value));
$("level").addEventListener("click", () => {
  isLevel = !isLevel;
  turn();
});
$("invert").addEventListener("click", () => {
  $("invert").setAttribute("aria-pressed", String($("view").classList.toggle("inverted")));
});
$("skip").addEventListener("click", () => next(task.galaxy));
$("back").addEventListener("click", async () => {
  try {
    show(await get("galaxy", { person, galaxy: seen.pop() }));
  } catch (error) {
    fail(error);
  }
});
$("catalogue").addEventListener("click", async () => {
  try {
    await save(await call("api/label/catalogue"), "labels.csv");
  } catch (error) {
    fail(error);
  }
});
document.addEventListener("keydown", (event) => {
  if ($("task").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  const button = { l: "level", i: "invert", s: "skip", b: "back" }[event.key.toLowerCase()];
  if (button) $(button).click();
  if (event.key === "Enter" && event.target.matches(".strip input, #inclination")) {
    event.preventDefault();
    $("judge").requestSubmit();
  }
});
