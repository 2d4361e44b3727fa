"""DeepDream done properly: follow the gradients of image networks into pictures.

photo, noise --> canvas --> transforms --> net ----------> objective --> score (maximised)
                   ^                       runs only to    an expression   |
                   |                       the deepest     over layers     | autograd, to the image only
                   |                       layer needed                    v
                   +------- step <------- gradient shaping (Laplacian, normalise, blur)
loops:   ascent in octaves in tiles; each is a generator of steps
recipe:  everything above as one JSON text, carried inside every file that is written
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from phosphene.api import again, dream, imagine, iterate, job, morph, sheet, video, zoom
    from phosphene.attribution import Sight, hear, see
    from phosphene.errors import PhospheneError as PhospheneError
    from phosphene.insight import atlas, cloud, explain, microscope, report
    from phosphene.learning import gibbs, learn, recall
    from phosphene.nets import load as load_net
    from phosphene.nets.foreign.wrap import wrap
    from phosphene.objectives import Channel, Class, Direction, Guide, Inversion, Layer, Like, Neuron, Style, parse
    from phosphene.recipe import (
        AtlasRecipe,
        BasinsRecipe,
        CloudRecipe,
        Dataset,
        DreamRecipe,
        DreamSoundRecipe,
        ExplainRecipe,
        GibbsRecipe,
        ImagineRecipe,
        ImagineSoundRecipe,
        IterateRecipe,
        LearnRecipe,
        MicroscopeRecipe,
        MorphRecipe,
        MorphSoundRecipe,
        Noise,
        RecallRecipe,
        ReportRecipe,
        SheetRecipe,
        SheetSoundRecipe,
        VideoRecipe,
        ZoomRecipe,
    )
    from phosphene.recipe import BaseRecipe as Recipe
    from phosphene.render.films import FilmFile
    from phosphene.render.job import Event, Job
    from phosphene.render.learning import Learnt
    from phosphene.render.picture import Picture, Pictures

_HOMES = {
    "again": "api:again",
    **{name: f"insight:{name}" for name in ("atlas", "cloud", "explain", "microscope", "report")},
    "basins": "api:basins",
    "dream": "api:dream",
    "imagine": "api:imagine",
    "iterate": "api:iterate",
    "job": "api:job",
    "learn": "learning:learn",
    "morph": "api:morph",
    "recall": "learning:recall",
    "gibbs": "learning:gibbs",
    "sheet": "api:sheet",
    "video": "api:video",
    "zoom": "api:zoom",
    "hear": "attribution:hear",
    "see": "attribution:see",
    "Sight": "attribution:Sight",
    "PhospheneError": "errors:PhospheneError",
    "load_net": "nets:load",
    "wrap": "nets.foreign.wrap:wrap",
    **{
        name: f"objectives:{name}"
        for name in ("Channel", "Class", "Direction", "Guide", "Inversion", "Layer", "Like", "Neuron", "Style", "parse")
    },
    **{
        f"{kind}Recipe": f"recipe:{kind}Recipe"
        for kind in (
            *(
                "Atlas",
                "Basins",
                "Cloud",
                "Dream",
                "DreamSound",
                "Explain",
                "Gibbs",
                "Imagine",
                "ImagineSound",
                "Iterate",
                "Learn",
                "Microscope",
                "Morph",
                "MorphSound",
                "Recall",
                "Report",
            ),
            *("Sheet", "SheetSound", "Video", "Zoom"),
        )
    },
    "Dataset": "recipe:Dataset",
    "Learnt": "render.learning:Learnt",
    "Noise": "recipe:Noise",
    "Recipe": "recipe:BaseRecipe",
    "Event": "render.job:Event",
    "Job": "render.job:Job",
    "FilmFile": "render.films:FilmFile",
    "Picture": "render.picture:Picture",
    "Pictures": "render.picture:Pictures",
}

__all__ = [
    "AtlasRecipe",
    "BasinsRecipe",
    "Channel",
    "Class",
    "CloudRecipe",
    "Dataset",
    "Direction",
    "DreamRecipe",
    "DreamSoundRecipe",
    "Event",
    "ExplainRecipe",
    "FilmFile",
    "GibbsRecipe",
    "Guide",
    "ImagineRecipe",
    "ImagineSoundRecipe",
    "Inversion",
    "IterateRecipe",
    "Job",
    "Layer",
    "LearnRecipe",
    "Learnt",
    "Like",
    "MicroscopeRecipe",
    "MorphRecipe",
    "MorphSoundRecipe",
    "Neuron",
    "Noise",
    "PhospheneError",
    "Picture",
    "Pictures",
    "RecallRecipe",
    "Recipe",
    "ReportRecipe",
    "SheetRecipe",
    "SheetSoundRecipe",
    "Sight",
    "Style",
    "VideoRecipe",
    "ZoomRecipe",
    "again",
    "atlas",
    "basins",
    "cloud",
    "dream",
    "explain",
    "gibbs",
    "hear",
    "imagine",
    "iterate",
    "job",
    "learn",
    "load_net",
    "microscope",
    "morph",
    "parse",
    "recall",
    "report",
    "see",
    "sheet",
    "video",
    "wrap",
    "zoom",
]


def __getattr__(name: str) -> Any:
    # Imported when it is first asked for, so that `import phosphene` does not import torch.
    if name in _HOMES:
        from phosphene.kinds import load

        return load(_HOMES[name])
    from phosphene.errors import nearest

    close = nearest(name, __all__)
    hint = f"; did you mean {close[0]!r}?" if close and not name.startswith("_") else ""
    raise AttributeError(f"module 'phosphene' has no attribute {name!r}{hint}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
