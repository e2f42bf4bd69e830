// Give the lowest contrast of text to what is behind it (WCAG 2.2, 1.4.3) outside the picture, and where it is.
() => {
  const read = color => color.match(/[\d.]+/g).map(Number);
  const linear = x => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  const luminance = color => {
    const [r, g, b] = read(color).map(x => linear(x / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    for (; element; element = element.parentElement) {
      const color = getComputedStyle(element).backgroundColor;
      if (read(color)[3] !== 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const hasText = element =>
    element.matches("input, select") || [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
  return [...document.querySelectorAll(".psipo-page *:not(svg *, option, datalist *)")]
    .filter(element => element.checkVisibility() && hasText(element))
    .map(element => {
      const [more, less] = [getComputedStyle(element).color, behind(element)].map(luminance).sort((x, y) => y - x);
      return [(more + 0.05) / (less + 0.05), element.outerHTML.slice(0, 200)];
    })
    .sort(([x], [y]) => x - y)[0];
}
