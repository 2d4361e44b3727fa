// Dark or light: what was chosen here, or what the system prefers.

export function paint(theme) {
  const light = theme === "light" || (theme !== "dark" && matchMedia("(prefers-color-scheme: light)").matches);
  document.documentElement.classList.toggle("light", light);
  return light;
}
