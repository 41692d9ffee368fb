"""distilabel: a pipeline of its steps. Setting: ``batch``, the rows that a step takes at a time."""

# Annotations stay values here: distilabel finds a step's input by looking at them.
from typing import Any

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts, Step, StepInput
from distilabel.steps.tasks import TextGeneration
from distilabel.typing import StepOutput
from driver import KEEP, MODEL, Order, parts, read_order, report


class TakeApart(Step):
    """Makes columns of what stands between the tags of an answer; drops rows with a low score."""

    source: str
    prompt: dict[str, Any]

    @property
    def inputs(self) -> list[str]:
        return [self.source]

    @property
    def outputs(self) -> list[str]:
        return list(self.prompt["outputs"])

    def process(self, inputs: StepInput) -> StepOutput:
        made = [row | parts(self.prompt, row[self.source]) for row in inputs]
        yield [row for row in made if float(row.get("score", KEEP)) == KEEP]


def main(order: Order) -> None:
    """Do the flow."""
    batch = order.number("batch", 50)
    cache = str(order.checkpoint) if order.checkpoint else None
    with Pipeline(name="benchmark", cache_dir=cache) as pipeline:
        last = LoadDataFromDicts(name="load", data=order.rows, batch_size=batch)
        inputs = {"ask": ["domain", "document"], "judge": ["document", "question", "answer"]}
        for name, prompt in order.prompts.items():
            options = {"max_new_tokens": prompt["max_tokens"], "temperature": 0.7}
            asking = TextGeneration(
                name=name,
                llm=OpenAILLM(
                    model=MODEL, base_url=order.url, api_key="EMPTY", generation_kwargs=options
                ),
                template=prompt["template"],
                columns=inputs[name],
                input_batch_size=batch,
                output_mappings={"generation": f"{name}_text", "model_name": f"{name}_model"},
                add_raw_input=False,
                add_raw_output=False,
            )
            apart = TakeApart(
                name=f"{name}_parts",
                source=f"{name}_text",
                prompt=dict(prompt),
                input_batch_size=batch,
            )
            last = last >> asking >> apart
    result = pipeline.run(use_cache=order.checkpoint is not None)
    report(result["default"]["train"])


if __name__ == "__main__":
    main(read_order())
