  const make = (tag, name, parent, attributes = {}) => {
    const node = document.createElement(tag);
    node.className = name;
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    parent.append(node);
    return node;
  };
