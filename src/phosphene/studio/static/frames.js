// Pictures of a camera or a photograph, as the server takes them.

export const pause = (time) => new Promise((done) => setTimeout(done, time));

export async function grab(source, width, part = 1) {  // part: the share of its width and height that is taken, from the middle
  const [wide, high] = [source.videoWidth ?? source.naturalWidth, source.videoHeight ?? source.naturalHeight];
  const height = Math.max(1, Math.round((width * high) / Math.max(1, wide)));
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const edge = (1 - part) / 2;
  canvas.getContext("2d").drawImage(source, wide * edge, high * edge, wide * part, high * part, 0, 0, width, height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85));
}
