(() => {
  "use strict";
  // include make.js

  function start(root) {
    const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    const { texts, taggers, found, colors } = data;
    let text = 0;

    const bar = make("div", "mb-bar", root);
    make("span", "mb-title", bar).textContent = data.title;
    const label = make("label", "", bar);
    label.append("text");
    const choice = make("select", "", label, { "aria-label": "text" });
    texts.forEach((words, index) => {
      const shown = words.join(" ");
      make("option", "", choice, { value: index }).textContent = shown.length > 80 ? shown.slice(0, 79) + "…" : shown;
    });
    choice.addEventListener("change", () => { text = Number(choice.value); show(); });
    const turn = (name, step) => {
      const button = make("button", "", bar, { type: "button" });
      button.textContent = name;
      button.addEventListener("click", () => { text = (text + step + texts.length) % texts.length; show(); });
    };
    turn("back", -1);
    turn("next", 1);
    const list = make("div", "mb-tag-rows", root);
    const rows = taggers.map((name) => {
      const row = make("div", "mb-tag-row", list);
      const head = make("b", "", row);
      head.textContent = name;
      return { note: make("small", "", head), words: make("div", "mb-tag-words", row) };
    });
    const say = make("div", "mb-say", root, { "aria-live": "polite" });

    function show() {
      choice.value = text;
      const key = (name) => name.join(" ");
      const truth = new Set(found[text][0].map(key));
      const counts = taggers.map((_, number) => found[text][number].filter((name) => truth.has(key(name))).length);
      rows.forEach(({ note, words }, number) => {
        const names = found[text][number];
        note.textContent = number ? `${counts[number]} right, ${names.length - counts[number]} wrong, ${truth.size - counts[number]} missed` : `${truth.size} names`;
        words.replaceChildren();
        let place = 0;
        while (place < texts[text].length) {
          const name = names.find((each) => each[1] === place);
          const end = name ? name[2] : place + 1;
          const span = make("span", name ? "mb-tag-name" : "", words);
          span.textContent = texts[text].slice(place, end).join(" ");
          if (name) {
            span.style.borderColor = colors[name[0]];
            span.style.background = `${colors[name[0]]}44`;
            span.classList.toggle("mb-other", !truth.has(key(name)));
            make("i", "", span).textContent = name[0];
          }
          words.append(" ");
          place = end;
        }
      });
      const best = taggers.slice(1).map((name, number) => `${name} ${counts[number + 1]} of ${truth.size}`);
      say.textContent = `Whole names with the right kind: ${best.join(", ") || truth.size}. A dashed frame is a name that ${taggers[0]} does not have.`;
    }
    root.dataset.live = "";
    show();
  }
  for (const root of document.querySelectorAll(".mb-tag:not([data-live])")) start(root);
})();
