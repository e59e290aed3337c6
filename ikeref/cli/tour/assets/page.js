"use strict";
(() => {
  const datagrams = JSON.parse(document.getElementById("datagrams").textContent);
  const inspector = document.getElementById("inspector");
  const buttons = [...document.querySelectorAll(".message")];
  let asSent = false;
  let chosen = null;

  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (key === "style") made.style.cssText = value;
      else made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  };

  const link = (section) => {
    const at = section.lastIndexOf(" ");
    const rfc = at < 0 ? "7296" : section.slice(0, at).replace("RFC ", "");
    const number = section.slice(at + 1);
    return element("a", { href: `https://www.rfc-editor.org/rfc/rfc${rfc}#section-${number}` },
      at < 0 ? `Section ${number}` : section);
  };

  const payloadsOf = (fields) => {
    // A payload begins at its Next Payload; the header is the first group.
    const groups = [];
    for (const field of fields) {
      const [name, ...rest] = field[2].split(".");
      const last = groups[groups.length - 1];
      const begins = !last || (name !== "Header" && rest.join(".") === "Next Payload") || last.name !== name;
      if (begins) groups.push({ name, fields: [], start: field[0] });
      groups[groups.length - 1].fields.push({ start: field[0], end: field[1], parts: rest.length ? rest : [name], text: field[3], section: field[4] });
    }
    return groups;
  };

  const mark = (on, start, end) => {
    for (const octet of inspector.querySelectorAll(".hex b")) {
      const at = Number(octet.dataset.at);
      if (at >= start && at < end) octet.classList.toggle("on", on);
    }
    for (const field of inspector.querySelectorAll(".field")) {
      if (Number(field.dataset.start) === start) field.classList.toggle("on", on);
    }
  };

  const hover = (made, start, end) => {
    made.addEventListener("mouseenter", () => mark(true, start, end));
    made.addEventListener("mouseleave", () => mark(false, start, end));
  };

  const hexView = (datagram, groups) => {
    const octets = (!asSent && datagram.clear_octets) || datagram.octets;
    const grid = element("div", { class: "hex" });
    const owner = [];
    groups.forEach((group, index) => group.fields.forEach((field) => {
      for (let at = field.start; at < field.end; at += 1) owner[at] = [index, field, group];
    }));
    for (let at = 0; at < octets.length / 2; at += 1) {
      if (at % 16 === 0) grid.append(element("u", {}, at.toString(16).padStart(4, "0")));
      const octet = element("b", { "data-at": at }, octets.slice(2 * at, 2 * at + 2));
      const [index, field, group] = owner[at] || [0, null, null];
      if (index % 2) octet.classList.add("odd");
      if (group && group.inner) octet.classList.add("inner");
      if (field) {
        octet.title = [group.name, ...field.parts].join(" · ");
        hover(octet, field.start, field.end);
        octet.addEventListener("click", () => {
          const target = inspector.querySelector(`.field[data-start="${field.start}"]`);
          if (target) target.scrollIntoView({ block: "center", behavior: "smooth" });
        });
      }
      grid.append(octet);
    }
    return grid;
  };

  const fieldView = (group) => {
    const box = element("section", { class: group.inner ? "payload inner" : "payload" },
      element("h4", {}, group.name, link(group.fields[group.fields.length - 1].section.split(".").slice(0, 2).join("."))));
    let path = [];
    for (const field of group.fields) {
      const parents = field.parts.slice(0, -1);
      parents.forEach((part, depth) => {
        if (path[depth] !== part) {
          box.append(element("div", { class: "part", style: `--depth:${depth}` }, part.replace("[", " ").replace("]", "")));
          path = parents.slice(0, depth + 1);
        }
      });
      path = parents;
      const made = element("div", { class: "field", style: `--depth:${parents.length}`, "data-start": field.start },
        element("span", { class: "at" }, field.end - field.start > 1 ? `${field.start}–${field.end - 1}` : `${field.start}`),
        element("span", {}, field.parts[field.parts.length - 1]),
        element("span", { class: "value" }, field.text));
      hover(made, field.start, field.end);
      box.append(made);
    }
    return box;
  };

  const close = () => {
    inspector.classList.remove("open");
  };

  // `asked`: somebody chose it, so a small screen lays it over the ladder.
  const show = (number, scroll, asked = true) => {
    const datagram = datagrams[number - 1];
    if (!datagram) return;
    chosen = number;
    buttons.forEach((button) => button.classList.toggle("chosen", Number(button.dataset.number) === number));
    const groups = payloadsOf(datagram.fields);
    // Whatever lies between the IV and the ICV was encrypted.
    let within = false;
    groups.forEach((group) => {
      if (group.name === "SK" || group.name === "SKF") within = true;
      else if (within) group.inner = true;
    });
    const tail = groups.filter((group, index) => index && (group.name === "SK" || group.name === "SKF"));
    tail.forEach((group) => { group.inner = false; });
    const views = element("div", { class: "views" });
    if (datagram.clear_octets) {
      for (const [label, sent] of [["Decrypted", false], ["As sent", true]]) {
        const button = element("button", { type: "button", "aria-pressed": String(asSent === sent) }, label);
        button.addEventListener("click", () => { asSent = sent; show(number, false); });
        views.append(button);
      }
    }
    const to = datagram.sender === "alice" ? "bob" : "alice";
    const states = [datagram.again && "sent again", datagram.lost && "lost", datagram.duplicated && "duplicated", datagram.late && "late",
      datagram.encapsulated && "behind a non-ESP marker"].filter(Boolean);
    const closing = element("button", { type: "button", class: "close", "aria-label": "Close" }, "✕");
    closing.addEventListener("click", close);
    inspector.replaceChildren(
      element("h3", {}, datagram.title, element("small", {}, `#${number} · ${(datagram.time * 1000).toFixed(1)} ms`), closing),
      element("p", { class: "noted" }, `${datagram.sender} to ${to} · ${datagram.octets.length / 2} octets${states.length ? ` · ${states.join(", ")}` : ""}`),
      ...(views.childNodes.length ? [views] : []),
      hexView(datagram, groups),
      ...groups.map(fieldView));
    inspector.scrollTop = 0;
    if (asked) inspector.classList.add("open");
    if (asked) history.replaceState(null, "", `#message-${number}`);
    if (scroll) {
      const button = buttons.find((each) => Number(each.dataset.number) === number);
      if (button) button.scrollIntoView({ block: "center", behavior: "smooth" });
    }
  };

  buttons.forEach((button) => button.addEventListener("click", () => show(Number(button.dataset.number), false)));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    if (chosen === null || event.altKey || event.ctrlKey || event.metaKey) return;
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (step && datagrams[chosen - 1 + step]) {
      event.preventDefault();
      show(chosen + step, true);
    }
  });
  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  const wanted = /^#message-(\d+)$/.exec(location.hash);
  show(wanted ? Number(wanted[1]) : 1, Boolean(wanted), Boolean(wanted));
})();
