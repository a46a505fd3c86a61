// The live views ask `data-jp-theme-light` which theme they stand in, as JupyterLab says it; here Furo's choice is said that way.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const tell = () => {
  const chosen = document.body.dataset.theme || "auto";
  document.body.dataset.jpThemeLight = String(chosen === "auto" ? !dark.matches : chosen === "light");
};
const start = () => {
  tell();
  dark.addEventListener("change", tell);
  new MutationObserver(tell).observe(document.body, { attributeFilter: ["data-theme"] });
};
if (document.body) start();
else document.addEventListener("DOMContentLoaded", start);
