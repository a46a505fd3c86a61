  const make = (tag, name, parent, text = "") => {
    const node = document.createElement(tag);
    node.className = name;
    node.textContent = text;
    parent.append(node);
    return node;
  };
