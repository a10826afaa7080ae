// @ts-check
/* What every part of the page uses. The parts are joined into one script, inside one function. */

/** @type {(what: string, within?: ParentNode) => any} */
const $ = (what, within = document) => within.querySelector(what);
/** @type {(what: string, within?: ParentNode) => any[]} */
const $$ = (what, within = document) => [...within.querySelectorAll(what)];
const settings = JSON.parse($("#settings").textContent);
const viewer = $("#viewer");
const sheet = $("#sheet");

/**
 * What a served page can ask of its server; null on a page from the disk. `review.js` sets it.
 * @type {null | {post: (path: string, body: object) => Promise<any>, propose: (action: object) => void, reword: (take: any) => void, enhanced: (take: any) => void}}
 */
let server = null;

/** Build an element. Texts go in as text nodes, so whatever they say stays text. */
function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key in made && typeof value !== "string") made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(9).filter(c => c !== null && c !== undefined && c !== false));
  return made;
}
const button = (words, onclick, attributes = {}) =>
  h("button", {type: "button", class: "quiet", onclick, ...attributes}, words);

/** @returns {any} the element that an event is about */
const hit = event => event.target;
/** @returns {any} the element that has the focus */
const focused = () => document.activeElement;

const stored = {
  get(key) {
    try {
      return JSON.parse(localStorage.getItem(key) || "null");
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(key, JSON.stringify(value));
    } catch {
      /* a page from disk may have no storage */
    }
  },
  remove(key) {
    try {
      localStorage.removeItem(key);
    } catch {
      /* as above */
    }
  },
  keys() {
    try {
      return Object.keys(localStorage);
    } catch {
      return [];
    }
  },
};

let toasting;
function toast(text) {
  $("#toast").replaceChildren(h("p", {}, text));
  clearTimeout(toasting);
  toasting = setTimeout(() => $("#toast").replaceChildren(), 2600);
}
/* Without a clipboard (a page from disk, say) what is selected is copied. */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    document.execCommand("copy");
  }
  toast("Copied");
}
const clock = seconds => {
  const whole = Math.floor(seconds + 1e-6);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
};

/* A small drawing for a button, on a field of 20 by 20. */
function drawing(path) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(space, "path");
  line.setAttribute("d", path);
  line.setAttribute("fill", "currentColor");
  svg.append(line);
  return svg;
}
