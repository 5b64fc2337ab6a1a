// A quarter of a circle from 0° (face-on, up) to 90° (edge-on, level), with the intervals and a needle.

import { degrees, draw } from "./common.js";

const [X, Y, R] = [14, 108, 88];
const at = (deg, radius) => {
  const angle = (deg * Math.PI) / 180;
  return [X + radius * Math.sin(angle), Y - radius * Math.cos(angle)];
};
const path = (points) => points.map((point) => point.map((value) => value.toFixed(2)).join(" ")).join(" L ");

function wedge(low, high, name) {
  const [from, to] = [Math.max(low, 0), Math.min(high, 90)];
  const steps = Array.from({ length: 25 }, (_, step) => from + ((to - from) * step) / 24);
  const outline = [...steps.map((deg) => at(deg, R)), ...steps.reverse().map((deg) => at(deg, R * 0.4))];
  return draw("path", { class: name, d: `M ${path(outline)} Z` });
}

export function dial({ inclination, low68, high68, low95, high95 }) {
  const text = `Inclination ${degrees(inclination)} on a scale from 0 (face-on) to 90 (edge-on)`;
  const svg = draw("svg", { class: "dial", viewBox: "0 0 130 122", role: "img", "aria-label": text });
  if (low95 !== null) svg.append(wedge(low95, high95, "wide"), wedge(low68, high68, "narrow"));
  const arc = Array.from({ length: 46 }, (_, step) => at(2 * step, R));
  svg.append(draw("path", { class: "arc", d: `M ${path(arc)}` }));
  for (const deg of [0, 15, 30, 45, 60, 75, 90]) {
    const [[x1, y1], [x2, y2], [x, y]] = [at(deg, R), at(deg, R + 4), at(deg, R + 11)];
    svg.append(draw("line", { class: "arc", x1, y1, x2, y2 }), draw("text", { x: x - 5, y: y + 3 }, `${deg}°`));
  }
  const [[x1, y1], [x2, y2]] = [at(inclination, R * 0.35), at(inclination, R + 2)];
  svg.append(draw("line", { class: "needle", x1, y1, x2, y2 }));
  return svg;
}
