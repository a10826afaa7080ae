// @ts-check
/* Sounds on the page, and dark or light. */

const root = document.documentElement;
if (["dark", "light"].includes(stored.get("kiebatch theme")))
  root.dataset.theme = stored.get("kiebatch theme");
$("#theme").addEventListener("click", () => {
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : !matchMedia("(prefers-color-scheme: light)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  stored.set("kiebatch theme", root.dataset.theme);
});
document.addEventListener("click", event => {
  const pressedPlay = hit(event).closest("[data-play]");
  const wave = hit(event).closest(".heard .wave");
  if (!pressedPlay && !wave) return;
  const heard = hit(event).closest(".heard");
  const sound = $("audio", heard);
  for (const other of $$(".heard audio")) if (other !== sound) other.pause();
  if (wave && sound.duration) sound.currentTime = (sound.duration * event.offsetX) / wave.clientWidth;
  if (pressedPlay && !sound.paused) sound.pause();
  else sound.play().catch(() => toast("This sound cannot be played"));
});
for (const name of ["play", "pause", "ended"]) {
  document.addEventListener(name, event => showPlaying(hit(event), name === "play"), true);
}
function showPlaying(sound, on) {
  const heard = sound.closest && sound.closest(".heard");
  if (!heard) return;
  heard.classList.toggle("on", on);
  const control = $("[data-play]", heard);
  control.classList.toggle("on", on);
  control.setAttribute("aria-label", (on ? "Pause " : "Play ") + heard.closest("article").dataset.shot);
}
