// @ts-check
/* Plays the film: stills, clips and sounds in their order, each as long as it lasts. */

const playing = $("#player");
const SPEEDS = [1, 2, 4];
const DRAWN = {
  before: "M4 4h2v12H4zM16 4v12L7 10z",
  play: "M6 3.5v13l10.5-6.5z",
  pause: "M5 4h3.5v12H5zM11.5 4H15v12h-3.5z",
  after: "M14 4h2v12h-2zM4 4v12l9-6z",
  full: "M3 3h5v2H5v3H3zM12 3h5v5h-2V5h-3zM3 12h2v3h3v2H3zM15 12h2v5h-5v-2h3z",
};
/**
 * The film that plays: its cuts and sounds, where it is (seconds), and how fast it goes (0: stopped, less: back).
 * @type {any} {cuts, sounds, total, at, rate, cut, then, screen}
 */
let playback = null;

function shownFile(found) {
  const take = shownTake(found);
  return take ? fileOf(take) : null;
}
const soundFile = found => (found.own ? {type: "audio", src: found.own} : shownFile(found));
/* One cut for each shot, and one for a scene that has a length and no picture. Sounds begin with their scene. */
function cutFilm() {
  const cuts = [];
  const sounds = [];
  const ends = new Map(); /* where each scene ends, by its id */
  let at = 0;
  for (const scene of $$("section.scene[data-seconds]")) {
    const begin = at;
    for (const article of $$("article[data-shot]", scene)) {
      const found = data(article);
      if (found.kind)
        sounds.push({found, scene: scene.dataset.scene, begin, end: begin, file: soundFile(found)});
      if (found.kind || !found.seconds) continue;
      cuts.push({article, found, at, seconds: found.seconds, title: titleOf(article, scene)});
      at += found.seconds;
    }
    const length = Number(scene.dataset.seconds);
    if (at === begin && length) {
      cuts.push({article: null, found: null, at, seconds: length, title: titleOf(null, scene)});
      at += length;
    }
    ends.set(scene.dataset.scene, at);
  }
  for (const sound of sounds)
    sound.end = ends.get(sound.found.through) || ends.get(sound.scene) || sound.begin;
  return {cuts, sounds: sounds.filter(s => s.file && s.file.type === "audio" && s.file.src), total: at};
}
function titleOf(article, scene) {
  const own = article && $(":scope > .title", article);
  const number = $("h2 .number", scene).textContent;
  return own ? own.textContent.trim() : $("h2", scene).textContent.trim().slice(number.length).trim();
}

function playFrom(article) {
  const cut = cutFilm();
  if (!cut.total) {
    toast("Nothing can be played yet");
    return;
  }
  const first = cut.cuts.find(c => c.article && c.article === article);
  const screen = h("div", {class: "screen"});
  playback = {...cut, at: first ? first.at : 0, rate: 0, cut: null, then: performance.now(), screen};
  for (const sound of playback.sounds)
    sound.player = h("audio", {src: sound.file.src, preload: "auto", loop: sound.found.kind !== "vo"});
  playing.replaceChildren(screen);
  screen.append(h("div", {class: "frame"}), controls());
  if (!playing.open) playing.showModal();
  $("[data-key=play]", playing).focus();
  setRate(1);
  requestAnimationFrame(tick);
}
function controls() {
  /** @type {(key: string, label: string, onclick: () => void, words?: any) => HTMLElement} */
  const icon = (key, label, onclick, words = drawing(DRAWN[key])) =>
    h("button", {type: "button", class: "icon", "data-key": key, "aria-label": label, onclick}, words);
  return h(
    "div",
    {class: "controls"},
    icon("before", "Previous cut", () => jump(-1)),
    icon("play", "Play", () => setRate(playback.rate ? 0 : 1)),
    icon("after", "Next cut", () => jump(1)),
    h("span", {class: "time"}),
    h("input", {
      type: "range",
      min: "0",
      max: String(playback.total),
      step: "0.05",
      value: "0",
      "aria-label": "Position in the film",
      oninput: event => seekFilm(Number(hit(event).value)),
    }),
    h("span", {class: "caption", role: "status"}),
    icon("full", "Full screen", fullScreen),
    icon("close", "Close", () => playing.close(), "✕"),
  );
}

/* --- time ---------------------------------------------------------------------------------------------- */

function tick(now) {
  if (!playback || !playing.open) return;
  const passed = (now - playback.then) / 1000;
  playback.then = now;
  if (playback.rate) {
    playback.at = Math.max(0, Math.min(playback.total, playback.at + playback.rate * passed));
    if (playback.at >= playback.total || (playback.rate < 0 && playback.at <= 0)) setRate(0);
  }
  draw();
  requestAnimationFrame(tick);
}
function setRate(rate) {
  if (rate > 0 && playback.at >= playback.total) playback.at = 0;
  playback.rate = rate;
  playback.then = performance.now();
  const control = $("[data-key=play]", playing);
  control.replaceChildren(drawing(DRAWN[rate ? "pause" : "play"]));
  control.setAttribute("aria-label", rate ? "Pause" : "Play");
  playing.dataset.rate = String(rate);
  draw();
}
function seekFilm(at) {
  playback.at = Math.max(0, Math.min(playback.total - 0.001, at));
  draw();
}
/* J and L go back and forward, faster with each press; K stops. */
function shuttle(direction) {
  const same = Math.sign(playback.rate) === direction;
  const next = same ? SPEEDS[Math.min(SPEEDS.indexOf(Math.abs(playback.rate)) + 1, SPEEDS.length - 1)] : 1;
  setRate(direction * next);
}
const cutAt = at => last(playback.cuts.filter(cut => cut.at <= at + 1e-6)) || playback.cuts[0];
function jump(by) {
  const index = playback.cuts.indexOf(cutAt(playback.at));
  const before = by < 0 && playback.at - playback.cuts[index].at > 1 ? index : index + by;
  const next = playback.cuts[Math.max(0, before)];
  if (next) seekFilm(next.at);
}

/* --- picture and sound ------------------------------------------------------------------------------------ */

function draw() {
  const cut = cutAt(playback.at);
  if (cut !== playback.cut) showCut(cut);
  const clip = $(".frame video", playing);
  if (clip) keepUp(clip, playback.at - cut.at);
  for (const sound of playback.sounds) {
    const inside = playback.at >= sound.begin && playback.at < sound.end;
    const length = sound.player.duration || Infinity;
    const at = playback.at - sound.begin;
    if (inside && (sound.player.loop || at < length)) keepUp(sound.player, at);
    else sound.player.pause();
  }
  $(".time", playing).textContent = `${clock(playback.at)} / ${clock(playback.total)}`;
  const range = $("input", playing);
  range.value = String(playback.at);
  range.setAttribute("aria-valuetext", `${clock(playback.at)} of ${clock(playback.total)}`);
}
/* Keep a clip or a sound where the film is. It plays by itself at full speed, and is moved otherwise. */
function keepUp(player, at) {
  const length = player.duration;
  const wanted = length && isFinite(length) ? at % length : at;
  const forward = playback.rate > 0;
  if (forward && player.playbackRate !== playback.rate) player.playbackRate = playback.rate;
  if (Math.abs(player.currentTime - wanted) > (forward ? 0.25 : 0.04)) player.currentTime = wanted;
  if (forward && player.paused) player.play().catch(() => {});
  if (!forward && !player.paused) player.pause();
}
function showCut(cut) {
  playback.cut = cut;
  const file = cut.found && shownFile(cut.found);
  const frame = $(".frame", playing);
  if (file && file.type !== "audio" && file.type !== "text") frame.replaceChildren(still(cut, file));
  else frame.replaceChildren(h("span", {class: "gap"}, cut.found ? "Not made yet" : cut.title));
  const name = cut.found ? cut.found.name : "";
  playing.dataset.shot = name;
  $(".caption", playing).textContent = [name, cut.title].filter(Boolean).join(" · ");
  const next = playback.cuts[playback.cuts.indexOf(cut) + 1];
  const soon = next && next.found && shownFile(next.found);
  if (soon && soon.type === "image" && soon.src) new Image().src = soon.src; /* ready when its time comes */
}
function still(cut, file) {
  const shown = medium(cut.article, file, {player: false});
  if (shown.tagName === "VIDEO") shown.loop = true;
  return shown;
}

/* --- keys and screen ---------------------------------------------------------------------------------------- */

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else playback.screen.requestFullscreen().catch(() => toast("This browser has no full screen here"));
}
function inPlayer(event) {
  const does = {
    " ": () => setRate(playback.rate ? 0 : 1),
    j: () => shuttle(-1),
    k: () => setRate(0),
    l: () => shuttle(1),
    ArrowRight: () => jump(1),
    ArrowDown: () => jump(1),
    ArrowLeft: () => jump(-1),
    ArrowUp: () => jump(-1),
    Home: () => seekFilm(0),
    End: () => seekFilm(playback.total),
    f: fullScreen,
  }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!does || (event.key === " " && hit(event).closest("button"))) return;
  event.preventDefault();
  does();
}
playing.addEventListener("close", () => {
  const article = playback && playback.cut && playback.cut.article;
  for (const sound of playback ? playback.sounds : []) sound.player.pause();
  playback = null;
  playing.replaceChildren();
  if (article && article.isConnected && !viewer.open) {
    article.scrollIntoView({block: "nearest"});
    article.focus({preventScroll: true});
  }
});
$("#play").addEventListener("click", () => playFrom(null));
