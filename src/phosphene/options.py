"""The keyword arguments of the public functions: the settings of each kind of recipe, with their types.

Written by `scripts/docs` from the recipes, which have each setting's range and default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from phosphene.nets.base import Net


class CommonOptions(TypedDict, total=False):
    """The settings of every kind of work."""

    net: str | Net
    """The network, by name."""
    seed: int
    """Seed of all randomness: the same seed gives the same result."""
    precision: Literal["auto", "bfloat16", "float16", "float32"]
    """Number format of the network; auto uses 16 bits where the hardware is faster with them."""
    device: Literal["auto", "cpu", "cuda", "mps"]
    """Where the network runs; auto uses a graphics card if there is one."""


class DreamOptions(CommonOptions, total=False):
    """The settings of `dream` besides its own parameters."""

    size: tuple[int, int] | int | str | None
    """Size to dream at: the longest side, or WIDTHxHEIGHT; by default the photo's own."""
    print: str | None
    """Carry the picture on to a print of this paper: 60x90cm@200, 8x10in, A3@300; at 200 dots per inch if not
    given."""
    bleed: str
    """Print beyond the paper's edges by this much, to be cut off."""
    placement: Literal["auto", "crop", "fit"]
    """How the picture meets the paper: crop fills it, fit shows all of it, on white; auto crops pictures and fits
    sheets."""
    safe: str
    """With fit: the distance that the picture keeps from the paper's edges."""
    octaves: int | Literal["auto"]
    """Sizes to dream at, from small to full; auto uses as many as fit the size."""
    octave_scale: float
    """How much larger each octave is than the one before."""
    steps: int
    """Steps of ascent in each octave."""
    step_size: float
    """How far a step goes, as a share of the range from black to white."""
    jitter: int
    """Largest random shift before each step, in pixels; it hides the network's grid."""
    margin: int
    """Pixels of the picture, mirrored, that the network sees beyond each edge, at least as many as jitter; 0 shows
    it the opposite edge (the 2015 behaviour), which leaves a faint frame."""
    shaping: Literal["laplacian", "normalise", "blur"]
    """How the gradient is shaped before each step."""
    natural_colour: float
    """How much a step keeps to the colours of natural pictures; 0 for not at all."""
    headroom: float
    """Distance from black and white at which steps are halved, to avoid clipping; 0 disables it (the 2015
    behaviour)."""
    equalise: bool
    """Weigh all channels of a layer equally; otherwise the strongest dominate (the 2015 behaviour)."""
    resampling: Literal["bicubic", "linear"]
    """How octaves are resized: bicubic with antialiasing, or linear (the 2015 behaviour)."""
    symmetry: str | None
    """Kaleidoscope: mirror left and right, rotate:N for N equal sectors, or the wallpaper groups p4m and p6m."""
    mask: str | None
    """Picture that says where to dream and how strongly: white fully, grey less, black not at all; it has the
    photo's proportions."""
    without: str | None
    """Channels that are left out of the network: 0 everywhere; several are separated by commas."""
    tileable: bool
    """Make a wallpaper tile: opposite edges join without a seam, so that the picture repeats."""
    tile: int | Literal["auto"]
    """Side in pixels of the tiles of a large canvas; 0 disables tiles, auto keeps a memory budget."""


class ImagineOptions(CommonOptions, total=False):
    """The settings of `imagine` besides its own parameters."""

    size: tuple[int, int] | int | str
    """Size of the picture: a square's side, or WIDTHxHEIGHT."""
    ensemble: tuple[str, ...] | Literal["auto"] | str
    """Further networks that score pictures of labels together with net; auto for those that suit it, none for net
    alone."""
    method: Literal["robust", "maco", "lucid"]
    """How to imagine; maco keeps to the magnitudes of photographs, and what does not matter is transparent; lucid
    is as published in 2017, and uses only steps, rate and decay."""
    print: str | None
    """Carry the picture on to a print of this paper: 60x90cm@200, 8x10in, A3@300; at 200 dots per inch if not
    given."""
    bleed: str
    """Print beyond the paper's edges by this much, to be cut off."""
    placement: Literal["auto", "crop", "fit"]
    """How the picture meets the paper: crop fills it, fit shows all of it, on white; auto crops pictures and fits
    sheets."""
    safe: str
    """With fit: the distance that the picture keeps from the paper's edges."""
    diversity: float
    """How strongly pictures that are made together are kept unlike one another."""
    steps: int
    """Steps of ascent for the shape; a quarter as many follow for each octave of detail."""
    sketches: int
    """Sketches of each picture, the best of which is continued; 1 for none."""
    sketch_steps: int
    """Steps of ascent for the sketches."""
    views: int
    """Random views of the picture that each step scores."""
    rate: float
    """Learning rate: how far a step goes, where 1 is the contrast of a photograph."""
    decay: float
    """How much weaker finer waves are drawn: amplitudes fall as frequency to this power."""
    zoom: tuple[float, float] | str
    """Smallest and largest share of the picture's height in a view."""
    rotate: float
    """Largest rotation of a view, in degrees."""
    tint: float
    """How much a view's colours and contrast are changed at random."""
    noise: float
    """Std of the noise added to a view."""
    channel_dropout: float
    """Share of the network's channels that each step drops at random."""
    natural: float
    """Weight of the prior that every layer responds as it does to photographs."""
    typical: float
    """Weight of the prior that a label's picture is like those that the network learnt, where its file tells how
    they look: it begins with their mean, and keeps to it where they hardly differ."""
    smooth: float
    """Weight of the prior that neighbouring pixels are alike."""
    detail: float
    """Steps that draw detail on a larger canvas, as a share of `steps`."""
    sharpness: float
    """How sharp that detail is: 0 draws finer waves weaker, as `decay` and `smooth` say; 1 draws all waves alike
    and hardly smooths."""
    focus: float
    """How much the picture of a label is drawn in the middle: steps are weaker far from it."""
    calm: float
    """How calm a label's picture is where the network looks least: steps are weaker there."""
    symmetry: str | None
    """Kaleidoscope: mirror left and right, rotate:N for N equal sectors, or the wallpaper groups p4m and p6m."""
    tileable: bool
    """Make a wallpaper tile: opposite edges join without a seam, so that the picture repeats."""
    without: str | None
    """Channels that are left out of the network: 0 everywhere; several are separated by commas."""


class SheetOptions(CommonOptions, total=False):
    """The settings of `sheet` besides its own parameters."""

    size: tuple[int, int] | int | str
    """Size of each picture: a square's side, or WIDTHxHEIGHT."""
    ensemble: tuple[str, ...] | Literal["auto"] | str
    """Further networks that score pictures of labels together with net; auto for those that suit it, none for net
    alone."""
    print: str | None
    """Carry the picture on to a print of this paper: 60x90cm@200, 8x10in, A3@300; at 200 dots per inch if not
    given."""
    bleed: str
    """Print beyond the paper's edges by this much, to be cut off."""
    placement: Literal["auto", "crop", "fit"]
    """How the picture meets the paper: crop fills it, fit shows all of it, on white; auto crops pictures and fits
    sheets."""
    safe: str
    """With fit: the distance that the picture keeps from the paper's edges."""
    columns: int | Literal["auto"]
    """Pictures in a row; auto for a sheet that is about square."""
    gap: int
    """White pixels between pictures."""
    captions: bool
    """Write under each picture what it shows."""
    vary: str | None
    """Make a contact sheet: each target once for each of these values of a setting, side by side, with captions;
    several settings are separated by semicolons."""
    weights: tuple[float, ...] | float | None
    """Picture sums of two targets, each with each of these weights: the first target's from left to right, the
    second's from top to bottom, with captions."""
    without: str | None
    """Channels that are left out of the network: 0 everywhere; several are separated by commas."""
    method: Literal["robust", "maco"]
    """How to imagine; maco keeps to the magnitudes of photographs, and what does not matter is white."""
    steps: int
    """Steps of ascent for the shape; a quarter as many follow for each octave of detail."""
    sketches: int
    """Sketches of each picture, the best of which is continued; 1 for none."""
    views: int
    """Random views of the picture that each step scores."""


class ZoomOptions(CommonOptions, total=False):
    """The settings of `zoom` besides its own parameters."""

    size: tuple[int, int] | int | str | None
    """Size of the film: the longest side, or WIDTHxHEIGHT; by default its source's, at most 640."""
    seconds: float | None
    """Length of the film; by default its sound's, or 20 without one."""
    octaves: int | Literal["auto"]
    """Sizes to dream at, from small to full; auto uses as many as fit the size."""
    octave_scale: float
    """How much larger each octave is than the one before."""
    steps: int
    """Steps of ascent in each octave of a frame."""
    step_size: float
    """How far a step goes, as a share of the range from black to white."""
    jitter: int
    """Largest random shift before each step, in pixels; it hides the network's grid."""
    margin: int
    """Pixels of the picture, mirrored, that the network sees beyond each edge, at least as many as jitter; 0 shows
    it the opposite edge (the 2015 behaviour), which leaves a faint frame."""
    shaping: Literal["laplacian", "normalise", "blur"]
    """How the gradient is shaped before each step."""
    natural_colour: float
    """How much a step keeps to the colours of natural pictures; 0 for not at all."""
    headroom: float
    """Distance from black and white at which steps are halved, to avoid clipping; 0 disables it (the 2015
    behaviour)."""
    equalise: bool
    """Weigh all channels of a layer equally; otherwise the strongest dominate (the 2015 behaviour)."""
    resampling: Literal["bicubic", "linear"]
    """How octaves are resized: bicubic with antialiasing, or linear (the 2015 behaviour)."""
    symmetry: str | None
    """Kaleidoscope: mirror left and right, rotate:N for N equal sectors, or the wallpaper groups p4m and p6m."""
    intensity: str | float
    """How strongly each frame is dreamt on, as a factor of step_size; with a sound a number is multiplied by its
    loudness and onsets."""
    weights: str | None
    """Weights of the targets that are joined by |; by default all alike, or with a sound by how loud it is in as
    many bands, the first target for the lowest."""
    sound: str | None
    """Sound that the film follows and has: its loudness, onsets and bands become keyframes, which the recipe
    has."""
    fps: str | float
    """Frames per second."""
    speed: str | float
    """Magnification per second; below 1 to zoom out; with a sound a number changes with its onsets and loudness."""
    spin: str | float
    """Rotation in degrees per second, anticlockwise."""
    drift: str
    """Camera movement to the right and down per second, as shares of the picture."""
    loop: bool
    """Lead the last frame back to the first, so that the film repeats seamlessly."""
    level: float
    """How far each frame's sharpness, contrast and colours are restored to the first ones."""
    tile: int | Literal["auto"]
    """Side in pixels of the tiles of a large canvas; 0 disables tiles, auto keeps a memory budget."""


class MorphOptions(CommonOptions, total=False):
    """The settings of `morph` besides its own parameters."""

    size: tuple[int, int] | int | str
    """Size of the film: a square's side, or WIDTHxHEIGHT."""
    seconds: float | None
    """Length of the transition from one idea to the next; by default 4, or with a sound so that the film is as
    long."""
    ensemble: tuple[str, ...] | Literal["auto"] | str
    """Further networks that score pictures of labels together with net; auto for those that suit it, none for net
    alone."""
    fps: str | float
    """Frames per second."""
    loop: bool
    """Lead the last frame back to the first, so that the film repeats seamlessly."""
    between: int
    """Pictures between two ideas that are imagined as both at once; the frames in between blend them."""
    pace: str | float
    """Relative speed of the transition; with a sound a number changes with its onsets and loudness."""
    sound: str | None
    """Sound that the film follows and has: its loudness, onsets and bands become keyframes, which the recipe
    has."""
    shared: float
    """Share of each step that all pictures take together: more makes them more alike."""
    steps: int
    """Steps of ascent for the shape; a quarter as many follow for each octave of detail."""
    views: int
    """Random views of the picture that each step scores."""


class VideoOptions(CommonOptions, total=False):
    """The settings of `video` besides its own parameters."""

    size: tuple[int, int] | int | str | None
    """Size of the film: the longest side, or WIDTHxHEIGHT; by default the clip's own."""
    octaves: int | Literal["auto"]
    """Sizes to dream at, from small to full; auto uses as many as fit the size."""
    octave_scale: float
    """How much larger each octave is than the one before."""
    steps: int
    """Steps of ascent in each octave of a frame."""
    step_size: float
    """How far a step goes, as a share of the range from black to white."""
    jitter: int
    """Largest random shift before each step, in pixels; it hides the network's grid."""
    margin: int
    """Pixels of the picture, mirrored, that the network sees beyond each edge, at least as many as jitter; 0 shows
    it the opposite edge (the 2015 behaviour), which leaves a faint frame."""
    shaping: Literal["laplacian", "normalise", "blur"]
    """How the gradient is shaped before each step."""
    natural_colour: float
    """How much a step keeps to the colours of natural pictures; 0 for not at all."""
    headroom: float
    """Distance from black and white at which steps are halved, to avoid clipping; 0 disables it (the 2015
    behaviour)."""
    equalise: bool
    """Weigh all channels of a layer equally; otherwise the strongest dominate (the 2015 behaviour)."""
    resampling: Literal["bicubic", "linear"]
    """How octaves are resized: bicubic with antialiasing, or linear (the 2015 behaviour)."""
    symmetry: str | None
    """Kaleidoscope: mirror left and right, rotate:N for N equal sectors, or the wallpaper groups p4m and p6m."""
    intensity: str | float
    """How strongly each frame is dreamt on, as a factor of step_size; with a sound a number is multiplied by its
    loudness and onsets."""
    weights: str | None
    """Weights of the targets that are joined by |; by default all alike, or with a sound by how loud it is in as
    many bands, the first target for the lowest."""
    sound: str | None
    """Sound that the film follows and has: its loudness, onsets and bands become keyframes, which the recipe
    has."""
    start: float
    """Where to begin, in seconds of the clip."""
    end: float | None
    """Where to end, in seconds of the clip; by default at its end."""
    every: int
    """Use every Nth frame."""
    keep: float
    """Share of what was dreamt in a frame that the next one keeps; more is steadier."""
    renew: float
    """Share of what each frame adds that is used; less is steadier."""
    first_steps: int
    """Steps of ascent in each octave of the first frame, and of the first after a cut."""
    tile: int | Literal["auto"]
    """Side in pixels of the tiles of a large canvas; 0 disables tiles, auto keeps a memory budget."""


class IterateOptions(TypedDict, total=False):
    """The settings of `iterate` besides its own parameters."""

    size: tuple[int, int] | int | str
    """Size of the picture: a square's side, or WIDTHxHEIGHT."""
    seconds: float
    """Length of the film."""
    centre: str
    """The middle of the picture in the plane, in as many digits as it takes."""
    width: float | Literal["auto"]
    """Width of the picture in the plane; auto shows everything that stays for a while."""
    turn: float
    """Degrees by which the picture is turned, anticlockwise."""
    zoom: float | None
    """Make a film that moves in until the picture is this wide, as 1e-13; the centre is its end."""
    fps: str | float
    """Frames per second of the film."""
    iterations: int | Literal["auto"]
    """The most applications of the formula; auto until hardly any more points leave."""
    bailout: float
    """Distance from 0 beyond which a point has escaped."""
    until: Literal["auto", "escape", "settle"]
    """What is told of a point: when it escapes or settles; auto settles for newton."""
    plot: Literal["points", "orbits"]
    """Colour each point by what becomes of it, or show how often orbits pass: of all that stay, or where the
    plane's points are parameters, of those that escape (Buddhabrot)."""
    samples: float
    """How often orbits pass a pixel on average, with orbits."""
    palette: str
    """Colours: dusk, ember, moss, ice, ink, or the path of a picture to take them from."""
    cycles: float
    """How often the palette comes round while the count grows tenfold."""
    offset: float
    """Where the palette begins, as a share of it."""
    light: float
    """How strongly slopes are lit."""
    trap: str | None
    """The path of a picture that catches points: each shows where it is hit first (orbit trap)."""
    trap_at: tuple[float, float, float] | str
    """Where the trap is in the plane, and how wide."""
    supersample: int
    """Points along each side of a pixel, whose colours are averaged."""
    seed: int
    """Seed of all randomness: the same seed gives the same result."""


class BasinsOptions(CommonOptions, total=False):
    """The settings of `basins` besides its own parameters."""

    size: tuple[int, int] | int | str
    """Size of the picture in points: a square's side, or WIDTHxHEIGHT."""
    side: int
    """Side in pixels at which the network sees the mixtures of the pictures."""
    iterations: int
    """Steps of dreaming from each point."""
    reach: float
    """Length of an average first step, where the distance between two pictures is 1."""
    settled: float
    """Length of a step, in the same measure, at which a point has settled."""
    palette: str
    """Colours: dusk, ember, moss, ice, ink, or the path of a picture to take them from."""


class LearnOptions(TypedDict, total=False):
    """The settings of `learn` besides its own parameters."""

    model: Literal["auto", "residual", "inception", "rbm", "stack"]
    """What learns: a residual network (auto), one with the structure of pocket (inception), a restricted Boltzmann
    machine (rbm), or two of these, one on top of the other (stack)."""
    start: str | Net | float | None
    """A network to train further, on new classes: pocket, lite, or a file that learn has written."""
    lessons: Literal["labels", "itself"]
    """What pictures teach: their labels, or, to a network that is trained further, what it said itself before
    (itself): under attack it must say the same, and it keeps its classes."""
    side: int | Literal["auto"]
    """Side in pixels that pictures are scaled to; auto for what suits those of the dataset."""
    width: int | Literal["auto"]
    """Channels of the first layers, or hidden units; auto chooses by the number of pictures."""
    epochs: int | Literal["auto"]
    """How often each picture is seen, at most; auto chooses by the number of pictures."""
    batch: int
    """Pictures in one step."""
    rate: float | Literal["auto"]
    """Learning rate at its height; it rises in the beginning and falls along a cosine."""
    weight_decay: float
    """How much weights are drawn towards zero (AdamW)."""
    held_out: float
    """Share of the pictures that are kept for testing, where the dataset itself keeps none."""
    attack: float | Literal["auto"]
    """Adversarial training, which makes gradients draw: the length (L2) of the change that each picture may
    undergo, where 1 is from black to white in one pixel; auto grows it as far as the network keeps up, 0 disables
    it."""
    attack_from: float
    """Share of the training that is done before attacks begin."""
    replays: int
    """Looks at each batch, each with a stronger attack and each followed by a step."""
    growing: float
    """Side that pictures have in the first half of the training, as a share of their final one."""
    zoom: tuple[float, float] | str
    """Smallest and largest share of a picture's side that is seen at once."""
    rotate: float
    """Largest rotation, in degrees."""
    tint: float
    """How much colours and contrast are changed at random."""
    mirror: Literal["auto", "yes", "no"]
    """Whether pictures are mirrored at random; auto finds out whether that changes their class."""
    patience: int
    """Tests without improvement after which training stops early."""
    frames: int
    """How often the network is kept while it learns, for a film of its learning."""
    licence: str
    """Licence of the pictures, for the data card."""
    seed: int
    """Seed of all randomness: the same seed gives the same result."""
    precision: Literal["auto", "bfloat16", "float16", "float32"]
    """Number format of the network; auto uses 16 bits where the hardware is faster with them."""
    device: Literal["auto", "cpu", "cuda", "mps"]
    """Where the network runs; auto uses a graphics card if there is one."""


class RecallOptions(TypedDict, total=False):
    """The settings of `recall` besides its own parameters."""

    size: tuple[int, int] | int | str
    """Size of each picture: a square's side, or WIDTHxHEIGHT."""
    steps: int
    """Steps that the pictures take in each frame; more follow the network more closely."""
    views: int
    """Random views of a picture that each step scores."""
    rate: float
    """How far a step goes, where 1 is the contrast of a photograph."""
    fade: float
    """How much the pictures fade with each step, so that what the network no longer means leaves."""
    most: int
    """The most classes that are shown."""
    fps: str | float
    """Frames per second of the film."""
    captions: bool
    """Write the classes, the step and the accuracy beside the pictures."""
    seed: int
    """Seed of all randomness: the same seed gives the same result."""
    precision: Literal["auto", "bfloat16", "float16", "float32"]
    """Number format of the network; auto uses 16 bits where the hardware is faster with them."""
    device: Literal["auto", "cpu", "cuda", "mps"]
    """Where the network runs; auto uses a graphics card if there is one."""


class AtlasOptions(CommonOptions, total=False):
    """The settings of `atlas` besides its own parameters."""

    size: int
    """Side of an icon in pixels."""
    layer: str
    """The layer whose activations are mapped."""
    columns: int
    """Cells in a row of the grid, and in a column."""
    least: int | Literal["auto"]
    """Activations that a cell must hold to be drawn; auto for a tenth of the mean, 1 or more."""
    layout: Literal["tsne", "umap"]
    """How activations are laid out: exact t-SNE, or UMAP, which needs the extra atlas."""
    perplexity: float | Literal["auto"]
    """Neighbours of an activation in t-SNE; auto for 30, or a third of few activations."""
    power: float
    """Power of the cosine in the icons' objective: the higher, the purer the direction."""
    steps: int
    """Steps of ascent for each icon."""
    views: int
    """Random views of an icon that each step scores."""


class CloudOptions(CommonOptions, total=False):
    """The settings of `cloud` besides its own parameters."""

    size: tuple[int, int] | int | str
    """Size of the picture: its longest side, or WIDTHxHEIGHT."""
    regions: int
    """Regions along the longer side, each of which is read by itself; they overlap by half."""
    rounds: int
    """Times that each region is read, and its best reading becomes what grows there."""
    steps: int
    """Steps of ascent in each round."""
    step_size: float
    """How far a step goes, as a share of the range from black to white."""
    jitter: int
    """Largest random shift before each step, in pixels; it hides the network's grid."""
    natural_colour: float
    """How much a step keeps to the colours of natural pictures; 0 for not at all."""
    headroom: float
    """Distance from black and white at which steps are halved, to avoid clipping; 0 disables it (the 2015
    behaviour)."""
    captions: bool
    """Write the readings beside the picture."""
    fps: str | float | None
    """Frames per second of a film, which has a frame for each step; by default a picture."""


class ExplainOptions(CommonOptions, total=False):
    """The settings of `explain` besides its own parameters."""

    size: tuple[int, int] | int | str
    """Size of the pictures: the longest side, or WIDTHxHEIGHT."""
    octaves: int | Literal["auto"]
    """Sizes to dream at, from small to full; auto uses as many as fit the size."""
    octave_scale: float
    """How much larger each octave is than the one before."""
    steps: int
    """Steps of ascent in each octave."""
    step_size: float
    """How far a step goes, as a share of the range from black to white."""
    jitter: int
    """Largest random shift before each step, in pixels; it hides the network's grid."""
    margin: int
    """Pixels of the picture, mirrored, that the network sees beyond each edge, at least as many as jitter; 0 shows
    it the opposite edge (the 2015 behaviour), which leaves a faint frame."""
    shaping: Literal["laplacian", "normalise", "blur"]
    """How the gradient is shaped before each step."""
    natural_colour: float
    """How much a step keeps to the colours of natural pictures; 0 for not at all."""
    headroom: float
    """Distance from black and white at which steps are halved, to avoid clipping; 0 disables it (the 2015
    behaviour)."""
    equalise: bool
    """Weigh all channels of a layer equally; otherwise the strongest dominate (the 2015 behaviour)."""
    resampling: Literal["bicubic", "linear"]
    """How octaves are resized: bicubic with antialiasing, or linear (the 2015 behaviour)."""
    symmetry: str | None
    """Kaleidoscope: mirror left and right, rotate:N for N equal sectors, or the wallpaper groups p4m and p6m."""


class ReportOptions(CommonOptions, total=False):
    """The settings of `report` besides its own parameters."""

    size: int
    """Side of an icon in pixels."""
    dataset: float | None
    """Photos, some of the label: a folder, or a CSV; without them 64 imaginings."""
    layer: str | None
    """The layer whose factors are the parts; by default the last one with positions."""
    parts: int
    """The most parts that the label is taken apart into; there are no more than one for three pictures."""
    most: int
    """Photos that parts are looked for in: those in which the label is most probable."""
    power: float
    """Power of the cosine in the objective of a part: the higher, the purer."""
    steps: int
    """Steps of ascent for each icon."""
    views: int
    """Random views of an icon that each step scores."""


class MicroscopeOptions(CommonOptions, total=False):
    """The settings of `microscope` besides its own parameters."""

    size: int
    """Side of an icon in pixels."""
    dataset: float | None
    """Photos, of which those that excite a channel most are shown."""
    layers: str
    """Layers by name, separated by commas; main for all but those inside blocks."""
    steps: int
    """Steps of ascent for each icon."""
    views: int
    """Random views of an icon that each step scores."""


class DreamSoundOptions(CommonOptions, total=False):
    """The settings of `dream-sound` besides its own parameters."""

    steps: int
    """Steps of ascent on each stretch of sound."""
    step_size: float
    """How far a step goes, where 1 is as loud as the sound itself."""
    sketches: int
    """Sketches that are played to the network, the best of which is continued; 0 for none."""
    views: int
    """Random excerpts of three seconds that each step scores."""
    speed: float
    """Largest random change of an excerpt's speed and pitch."""
    channel_dropout: float
    """Share of the network's channels that each step drops at random."""
    natural: float
    """Weight of the prior that every layer responds as it does to music."""
    strength: float
    """Loudness of a sketch, relative to the sound that it joins."""


class ImagineSoundOptions(CommonOptions, total=False):
    """The settings of `imagine-sound` besides its own parameters."""

    seconds: float
    """Length of the sound."""
    steps: int
    """Steps of ascent on each stretch of sound."""
    step_size: float
    """How far a step goes, where 1 is as loud as the sound itself."""
    sketches: int
    """Sketches that are played to the network, the best of which is continued."""
    views: int
    """Random excerpts of three seconds that each step scores."""
    speed: float
    """Largest random change of an excerpt's speed and pitch."""
    channel_dropout: float
    """Share of the network's channels that each step drops at random."""
    natural: float
    """Weight of the prior that every layer responds as it does to music."""


class MorphSoundOptions(CommonOptions, total=False):
    """The settings of `morph-sound` besides its own parameters."""

    seconds: float
    """Length of the transition from one idea to the next."""
    steps: int
    """Steps of ascent on each stretch of sound."""
    step_size: float
    """How far a step goes, where 1 is as loud as the sound itself."""
    sketches: int
    """Sketches that are played to the network, the best of which is continued; 0 for none."""
    views: int
    """Random excerpts of three seconds that each step scores."""
    speed: float
    """Largest random change of an excerpt's speed and pitch."""
    channel_dropout: float
    """Share of the network's channels that each step drops at random."""
    natural: float
    """Weight of the prior that every layer responds as it does to music."""


class GibbsOptions(TypedDict, total=False):
    """The settings of `gibbs` besides its own parameters."""

    net: str | Net
    """The machine, a .rbm file."""
    size: tuple[int, int] | int | str
    """Size of each picture: a square's side, or WIDTHxHEIGHT."""
    seconds: float | None
    """Length of a film of the chains as they wander; by default a picture of where they are."""
    sweeps: int
    """Sweeps before the picture, or before the first frame."""
    every: int
    """Sweeps from frame to frame."""
    known: str | None
    """A picture, half of which is given; the chains complete the rest."""
    half: Literal["left", "right", "top", "bottom"]
    """The half that is given."""
    fps: str | float
    """Frames per second of a film."""
    seed: int
    """Seed of all randomness: the same seed gives the same result."""


class SheetSoundOptions(CommonOptions, total=False):
    """The settings of `sheet-sound` besides its own parameters."""

    seconds: float
    """Length of each sound."""
    steps: int
    """Steps of ascent on each sound."""
    step_size: float
    """How far a step goes, where 1 is as loud as the sound itself."""
    sketches: int
    """Sketches that are played to the network, the best of which is continued."""
    views: int
    """Random excerpts of three seconds that each step scores."""
    speed: float
    """Largest random change of an excerpt's speed and pitch."""
    channel_dropout: float
    """Share of the network's channels that each step drops at random."""
    natural: float
    """Weight of the prior that every layer responds as it does to music."""
    columns: int
    """Spectrograms in a row of the picture."""


class AnyOptions(CommonOptions, total=False):
    """The settings of any kind of work; which of them a kind has, its own options say."""

    size: tuple[int, int] | int | str | None
    print: str | None
    bleed: str
    placement: Literal["auto", "crop", "fit"]
    safe: str
    octaves: int | Literal["auto"]
    octave_scale: float
    steps: int
    step_size: float
    jitter: int
    margin: int
    shaping: Literal["laplacian", "normalise", "blur"]
    natural_colour: float
    headroom: float
    equalise: bool
    resampling: Literal["bicubic", "linear"]
    symmetry: str | None
    mask: str | None
    without: str | None
    tileable: bool
    tile: int | Literal["auto"]
    ensemble: tuple[str, ...] | Literal["auto"] | str
    method: Literal["robust", "maco", "lucid"] | Literal["robust", "maco"]
    diversity: float
    sketches: int
    sketch_steps: int
    views: int
    rate: float | Literal["auto"]
    decay: float
    zoom: tuple[float, float] | str | float | None
    rotate: float
    tint: float
    noise: float
    channel_dropout: float
    natural: float
    typical: float
    smooth: float
    detail: float
    sharpness: float
    focus: float
    calm: float
    columns: int | Literal["auto"]
    gap: int
    captions: bool
    vary: str | None
    weights: tuple[float, ...] | float | str | None
    seconds: float | None
    intensity: str | float
    sound: str | None
    fps: str | float | None
    speed: str | float
    spin: str | float
    drift: str
    loop: bool
    level: float
    between: int
    pace: str | float
    shared: float
    start: float | str | Net | None
    end: float | None
    every: int
    keep: float
    renew: float
    first_steps: int
    formula: str
    centre: str
    width: float | Literal["auto"] | int
    turn: float
    iterations: int | Literal["auto"]
    bailout: float
    until: Literal["auto", "escape", "settle"]
    plot: Literal["points", "orbits"]
    samples: float
    palette: str
    cycles: float
    offset: float
    light: float
    trap: str | None
    trap_at: tuple[float, float, float] | str
    supersample: int
    side: int | Literal["auto"]
    reach: float
    settled: float
    model: Literal["auto", "residual", "inception", "rbm", "stack"]
    lessons: Literal["labels", "itself"]
    epochs: int | Literal["auto"]
    batch: int
    weight_decay: float
    held_out: float
    attack: float | Literal["auto"]
    attack_from: float
    replays: int
    growing: float
    mirror: Literal["auto", "yes", "no"]
    patience: int
    frames: int
    licence: str
    fade: float
    most: int
    layer: str | None
    least: int | Literal["auto"]
    layout: Literal["tsne", "umap"]
    perplexity: float | Literal["auto"]
    power: float
    regions: int
    rounds: int
    dataset: float | None
    parts: int
    layers: str
    strength: float
    sweeps: int
    known: str | None
    half: Literal["left", "right", "top", "bottom"]
