// Keeps the page as it is on the server, sends forms without losing what is being typed elsewhere, tells times in words.
"use strict";
(() => {
  document.documentElement.classList.add("js");
  const connection = document.getElementById("connection");
  const announce = document.getElementById("announce");
  const toggled = new Map();

  const regions = (root) => [...root.querySelectorAll("[data-live]")];

  // Details keep what the reader chose; those without a key are counted within their region.
  const keyed = (region) => [...region.querySelectorAll("details")].map((details, index) => [details.dataset.key || `${region.id}:${index}`, details]);

  function restore(region) {
    for (const [key, details] of keyed(region)) if (toggled.has(key)) details.open = toggled.get(key);
  }

  document.addEventListener("click", (event) => {
    const details = event.target.closest("summary")?.parentElement;
    const region = details?.closest("[data-live]");
    if (!region) return;
    const entry = keyed(region).find(([, other]) => other === details);
    if (entry) toggled.set(entry[0], !details.open);
  });

  // Where the keyboard is: the same control of the same form, by place, when its region is replaced.
  function place(region) {
    const controls = [...region.querySelectorAll("a, button, input, summary, [tabindex]")];
    return controls.indexOf(document.activeElement);
  }

  function adopt(fresh) {
    const before = [...document.querySelectorAll("[data-announce]")].map((node) => node.textContent.trim());
    for (const region of regions(document)) {
      const other = fresh.getElementById(region.id);
      if (!other || other.innerHTML === region.dataset.shown) continue;
      const focus = region.contains(document.activeElement) ? place(region) : -1;
      region.dataset.shown = other.innerHTML;
      region.replaceChildren(...document.importNode(other, true).childNodes);
      restore(region);
      if (focus >= 0) region.querySelectorAll("a, button, input, summary, [tabindex]")[focus]?.focus();
    }
    tellTimes();
    const after = [...document.querySelectorAll("[data-announce]")].map((node) => node.textContent.trim());
    const news = after.filter((text) => !before.includes(text));
    if (news.length) announce.textContent = news.join(". ").replace(/\s+/g, " ");
  }

  let fetching = false;
  let again = false;
  async function refresh() {
    if (fetching) { again = true; return; }
    fetching = true;
    try {
      do {
        again = false;
        const answer = await fetch(location.pathname, { headers: { accept: "text/html" } });
        if (answer.ok) adopt(new DOMParser().parseFromString(await answer.text(), "text/html"));
      } while (again);
    } catch { /* The connection's state says so. */ }
    fetching = false;
  }

  function listen() {
    const source = new EventSource("/_sandbox/changes");
    const show = (state, words) => { connection.className = `live ${state}`; connection.textContent = words; };
    source.addEventListener("open", () => { show("on", "live"); refresh(); });
    source.addEventListener("changed", refresh);
    source.addEventListener("error", () => show("off", "reconnecting"));
  }

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.method !== "post" || form.classList.contains("person") || !location.pathname.match(/\/(pull|issues)\/\d+$|_sandbox\/deliveries$/)) return;
    event.preventDefault();
    const buttons = [...form.querySelectorAll("button")];
    buttons.forEach((button) => { button.disabled = true; });
    const alert = document.getElementById("alert");
    try {
      const answer = await fetch(form.action, { method: "post", body: new URLSearchParams(new FormData(form)) });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      alert.replaceChildren(...(fresh.getElementById("alert")?.childNodes ?? []));
      if (answer.ok) form.reset();
      if (answer.ok && form.id === "composer") document.getElementById("body").value = "";
      adopt(fresh);
    } catch {
      const words = document.createElement("p");
      words.className = "alert";
      words.textContent = "The sandbox cannot be reached. Is it still running?";
      alert.replaceChildren(words);
    }
    buttons.forEach((button) => { button.disabled = false; });
  });

  document.addEventListener("change", (event) => {
    if (event.target.id === "person") event.target.form.requestSubmit();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form) event.target.form.requestSubmit();
  });

  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  function tellTimes() {
    for (const time of document.querySelectorAll("time")) {
      const at = new Date(time.dateTime);
      const seconds = (at - Date.now()) / 1000;
      time.title = at.toLocaleString();
      const size = Math.abs(seconds);
      if (size < 45) time.textContent = "just now";
      else if (size < 3600) time.textContent = words.format(Math.round(seconds / 60), "minute");
      else if (size < 86400) time.textContent = words.format(Math.round(seconds / 3600), "hour");
      else time.textContent = at.toLocaleDateString();
    }
  }

  for (const region of regions(document)) region.dataset.shown = region.innerHTML;
  tellTimes();
  setInterval(tellTimes, 20000);
  listen();
})();
