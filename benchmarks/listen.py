"""What tells a dream of sound from noise, and how well it bears being altered: tables for sound files.

    .venv/bin/python benchmarks/listen.py choir.flac techno.flac
    .venv/bin/python benchmarks/listen.py choir=choir.flac techno=dreamt.flac     # with the tag that each was made for

The first table has the median flatness of the spectrum over frames, the median ratio of harmonics to noise, the share
of the envelope's changes that lie between 2 and 10 Hz, and the first tags. With tags, a second one has each tag's place
among the 50, by its mean probability, when the sound is altered, and when the network is.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from parts import setup
from torch import Tensor

RATE, FRAME, HOP, QUIETEST = 16_000, 1024, 512, 1e-4
"""Hz, samples, and the power of the softest frame that counts, relative to the loudest."""

LOWEST, HIGHEST = 60, 1000
"""Hz of the pitches that are looked for."""

SEEDS = 3
WINDOW = 48_000


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="[TAG=]FILE")
    asked = parser.parse_args()
    setup.as_the_command_line()
    ears = Ears()
    named = [each.rpartition("=")[::2] for each in asked.files]
    columns = "| sound | flatness | harmonic to noise, dB | modulation, 2 to 10 Hz | the ear's first tags |"
    print(f"{columns}\n|---|---|---|---|---|")
    for _, path in named:
        sound = read(Path(path))
        first = ", ".join(f"{tag} {100 * share:.0f} %" for tag, share in ears.best(sound, 2))
        measures = f"{flatness(sound):.3f} | {harmonic(sound):.1f} | {modulation(sound):.2f}"
        print(f"| {Path(path).stem} | {measures} | {first} |", flush=True)
    rows = [(tag, ears.places(read(Path(path)), tag)) for tag, path in named if tag]
    if rows:
        names = list(rows[0][1])
        print("\n| | " + " | ".join(tag for tag, _ in rows) + " | among five |\n|---|" + "---|" * (len(rows) + 1))
        for name in names:
            all_places = [place for _, found in rows for place in found[name]]
            cells = [", ".join(map(str, found[name])) for _, found in rows]
            print(f"| {name} | " + " | ".join(cells) + f" | {np.mean([each <= 5 for each in all_places]):.0%} |")


def read(path: Path) -> np.ndarray:
    """Return a sound as the network hears it: mono, at 16 kHz."""
    from phosphene.media.sound.read import open_sound
    from phosphene.media.sound.resample import mixed_down

    file = open_sound(path)
    return np.concatenate(list(mixed_down(file.blocks(), file.rate, RATE)))


def frames(sound: np.ndarray) -> np.ndarray:
    """Return the frames that are not silent, with a Hann window."""
    padded = np.pad(sound, (0, max(0, FRAME - len(sound))))
    cut = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP] * np.hanning(FRAME)
    power = np.square(cut).mean(axis=1)
    return cut[power >= QUIETEST * power.max()]


def flatness(sound: np.ndarray) -> float:
    """Return the median of the geometric over the arithmetic mean of the power spectrum: 0.56 for white noise."""
    power = np.abs(np.fft.rfft(frames(sound)))[:, 1:] ** 2 + 1e-12
    return float(np.median(np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1)))


def harmonic(sound: np.ndarray) -> float:
    """Return the median ratio in dB of what repeats at the best pitch to what does not (Boersma 1993)."""
    cut = frames(sound)
    window = np.hanning(FRAME)
    own = np.fft.irfft(np.abs(np.fft.rfft(cut, 2 * FRAME)) ** 2)[:, :FRAME]
    of_window = np.fft.irfft(np.abs(np.fft.rfft(window, 2 * FRAME)) ** 2)[:FRAME]
    lags = slice(RATE // HIGHEST, RATE // LOWEST)
    like = (own / own[:, :1])[:, lags] / (of_window / of_window[0])[lags]
    best = np.clip(like.max(axis=1), 1e-3, 1 - 1e-4)
    return float(np.median(10 * np.log10(best / (1 - best))))


def modulation(sound: np.ndarray) -> float:
    """Return the share of the envelope's changes between 0.5 and 20 Hz that lies between 2 and 10 Hz."""
    step = RATE // 100
    envelope = np.sqrt(np.square(sound[: len(sound) // step * step]).reshape(-1, step).mean(axis=1))
    power = np.abs(np.fft.rfft((envelope - envelope.mean()) * np.hanning(len(envelope)), 4096)) ** 2
    frequency = np.fft.rfftfreq(4096, 0.01)
    heard = (frequency >= 0.5) & (frequency <= 20)
    return float(power[heard & (frequency >= 2) & (frequency <= 10)].sum() / power[heard].sum())


class Ears:
    """The network `ear`, whole and altered."""

    def __init__(self) -> None:
        from phosphene.attribution.view import network
        from phosphene.nets.ops.log_mel import LogMel

        self.net = network("ear")
        spec = self.net.card.input.sound
        assert spec is not None
        self.log_mel, self.frames = LogMel(spec), spec.frames
        self.tags = [names[0] for names in self.net.card.labels]
        self.rng = np.random.default_rng(0)

    def best(self, sound: np.ndarray, count: int) -> list[tuple[str, float]]:
        """Return the most probable tags."""
        chances = self.chances(self.log_mels(sound))
        return [(self.tags[int(each)], float(chances[each])) for each in chances.topk(count).indices]

    def places(self, sound: np.ndarray, tag: str) -> dict[str, list[int]]:
        """Return the tag's places, from 1, under each alteration."""
        index = self.tags.index(tag)
        found = {
            name: [_place(self.chances(self.log_mels(change(sound))), index)] for name, change in self.changes().items()
        }
        heard = self.log_mels(sound)
        noisy = [self.chances(heard, self.noisy(0.1, seed)) for seed in range(SEEDS)]
        found["weights times 1 ± 0.1"] = [_place(each, index) for each in noisy]
        found["30 % of channels dropped"] = [_place(self.dropped(heard, seed), index) for seed in range(SEEDS)]
        return found

    def changes(self) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
        """Return what is done to a sound, by name."""
        up = 2 ** (1 / 12)
        return {
            "as it is": lambda sound: sound,
            "13 % slower": lambda sound: filtered(sound, ("atempo", "0.87")),
            "15 % faster": lambda sound: filtered(sound, ("atempo", "1.15")),
            "a semitone up": lambda sound: filtered(resampled(sound, RATE * up, RATE), ("atempo", str(1 / up))),
            "a semitone down": lambda sound: filtered(resampled(sound, RATE, RATE * up), ("atempo", str(up))),
            "200 to 3000 Hz": lambda sound: filtered(sound, ("highpass", "f=200"), ("lowpass", "f=3000")),
            "noise at -20 dB": lambda sound: sound + 0.1 * sound.std() * self.rng.standard_normal(len(sound)),
            "MP3 at 96 kbit/s": through_mp3,
            "8 random crops": self.crops,
        }

    def crops(self, sound: np.ndarray) -> np.ndarray:
        """Return eight excerpts of three seconds, one after the other."""
        whole = np.resize(sound, max(len(sound), WINDOW))
        begins = self.rng.integers(0, len(whole) - WINDOW + 1, 8)
        return np.concatenate([whole[begin : begin + WINDOW] for begin in begins])

    def log_mels(self, sound: np.ndarray) -> Tensor:
        """Return what is heard every half second."""
        whole = np.resize(sound, max(len(sound), WINDOW)).astype(np.float32)
        cut = np.stack([whole[begin : begin + WINDOW] for begin in range(0, len(whole) - WINDOW + 1, RATE // 2)])
        with torch.no_grad():
            return torch.cat([self.log_mel(each[None])[:, :, : self.frames] for each in torch.from_numpy(cut)])

    @torch.no_grad()
    def chances(self, heard: Tensor, weights: dict[str, Tensor] | None = None) -> Tensor:
        """Return each tag's mean probability."""
        parts = [
            torch.func.functional_call(self.net, weights or {}, (part, ["tags"]))["tags"] for part in heard.split(4)
        ]
        return torch.cat(parts).sigmoid().mean(dim=0)

    def noisy(self, amount: float, seed: int) -> dict[str, Tensor]:
        """Return the weights, each times 1 plus noise of this std."""
        rng = torch.Generator().manual_seed(seed)
        return {
            name: each.detach() * (1 + amount * torch.randn(each.shape, generator=rng))
            for name, each in self.net.named_parameters()
        }

    @torch.no_grad()
    def dropped(self, heard: Tensor, seed: int) -> Tensor:
        """Return each tag's mean probability without some of each layer's channels."""
        from phosphene.nets.ops.channel_dropout import apply_channel_dropout

        rng = torch.Generator().manual_seed(seed)
        return apply_channel_dropout(self.net, heard, ["tags"], 0.3, generator=rng)["tags"].sigmoid().mean(dim=0)


def _place(chances: Tensor, index: int) -> int:
    return int((chances > chances[index]).sum()) + 1


def resampled(sound: np.ndarray, rate: float, wanted: float) -> np.ndarray:
    """Return the sound at another rate."""
    import soxr

    changed: np.ndarray = soxr.resample(sound, rate, wanted)
    return changed


def filtered(sound: np.ndarray, *filters: tuple[str, str]) -> np.ndarray:
    """Return the sound after FFmpeg's filters."""
    import av

    graph = av.filter.Graph()
    nodes = [graph.add_abuffer(sample_rate=RATE, format="flt", layout="mono", time_base=f"1/{RATE}")]
    settings = [*filters, ("aformat", "sample_fmts=flt"), ("abuffersink", "")]
    nodes += [graph.add(name, given) if given else graph.add(name) for name, given in settings]
    for first, second in itertools.pairwise(nodes):
        first.link_to(second)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(sound[None].astype(np.float32), format="flt", layout="mono")
    frame.sample_rate, frame.pts = RATE, 0
    nodes[0].push(frame)
    nodes[0].push(None)
    parts = []
    while True:
        try:
            parts.append(nodes[-1].pull().to_ndarray()[0])
        except (av.error.EOFError, av.error.BlockingIOError):
            return np.concatenate(parts)


def through_mp3(sound: np.ndarray) -> np.ndarray:
    """Return the sound after it was an MP3 of 96 kbit/s."""
    import av

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.mp3"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libmp3lame", rate=44_100)
            stream.bit_rate, stream.codec_context.layout, stream.codec_context.format = 96_000, "stereo", "fltp"
            both = np.repeat(resampled(sound.astype(np.float32), RATE, 44_100)[None], 2, axis=0)
            for begin in range(0, both.shape[1], 1152):
                part = np.ascontiguousarray(both[:, begin : begin + 1152])
                frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
                frame.sample_rate, frame.pts = 44_100, begin
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return read(path)


if __name__ == "__main__":
    main()
