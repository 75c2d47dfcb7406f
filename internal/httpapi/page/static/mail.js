// Shows a mail's HTML. This frame is an origin of its own, which may load
// nothing; the text comes from the page around it, as a message.
"use strict";

function fits() {
  parent.postMessage({ height: Math.ceil(document.documentElement.getBoundingClientRect().height) }, "*");
}

addEventListener("message", (event) => {
  if (event.source !== parent || typeof event.data?.html !== "string") {
    return;
  }
  // A document that was parsed runs no scripts, and the policy of this frame
  // keeps those from running that are attributes.
  const mail = new DOMParser().parseFromString(event.data.html, "text/html");
  for (const unwanted of mail.querySelectorAll("script, base, meta, link, iframe, object, embed")) {
    unwanted.remove();
  }
  for (const link of mail.querySelectorAll("a[href]")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer";
  }
  document.head.querySelectorAll("style").forEach((style) => style.remove());
  document.head.append(...mail.head.querySelectorAll("style"));
  document.body.replaceWith(mail.body);
  document.documentElement.style.background = "#fff";
  new ResizeObserver(fits).observe(document.documentElement);
  document.querySelectorAll("img").forEach((image) => image.addEventListener("load", fits));
  fits();
});

addEventListener("DOMContentLoaded", () => parent.postMessage({ ready: true }, "*"));
