// Keeps what is marked data-live as new as the relay says. Without this file a page is as new as when it was loaded.
"use strict";
(() => {
  document.addEventListener("keydown", (event) => {
    const search = document.getElementById("find");
    const typing = /^(input|select|textarea)$/i.test(event.target.tagName);
    const isWanted = (event.key === "/" && !typing) || (event.key === "k" && (event.ctrlKey || event.metaKey));
    if (search && isWanted) { event.preventDefault(); search.focus(); search.select(); }
  });
  if (!window.EventSource || !document.querySelector("[data-live]")) return;
  let isBusy = false, isOld = false;
  const isUsed = (part) => part.contains(document.activeElement) || (getSelection().toString() !== "" && part.contains(getSelection().anchorNode));
  const refresh = async () => {
    if (isBusy || document.hidden) { isOld = true; return; }
    isBusy = true; isOld = false;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-live]")) {
        const fresh = page.getElementById(part.id);
        if (fresh && !isUsed(part)) part.replaceChildren(...fresh.childNodes);
      }
    } catch { isOld = true; } finally { isBusy = false; }
  };
  const events = new EventSource("/events");
  events.addEventListener("changed", refresh);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && isOld) refresh(); });
  window.addEventListener("pagehide", () => events.close());
})();
