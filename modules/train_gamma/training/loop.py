"""The training loop.

    draw pictures, noise, timesteps and prompts      (batches.py, keyed by seed and step)
    -> loss of each micro-batch, backward to the rows (accumulate)
    -> gradient of the rows, clipped, AdamW           (optimizers.py)
    -> now and then: evaluate, save, preview          (evaluation.py, state.py, previews.py)

The model is lent by a backbone, the outside hears events and gives commands. Only the (n, D) rows of the embedding are
ever trained.
"""

import math

import torch
from torch import Tensor

from train_gamma.training.batches import Batch, training_batch
from train_gamma.training.evaluation import evaluation_loss
from train_gamma.training.events import Evaluated, Finished, Previewed, Progress, Warned
from train_gamma.training.loss import squared_error
from train_gamma.training.noise import add_noise, target
from train_gamma.training.optimizers import clip_gradients, gradient_norm, set_learning_rate
from train_gamma.training.previews import make_previews
from train_gamma.training.run import Run
from train_gamma.training.writing import save_run


def train(run: Run) -> Finished:
    """Train until the last step, a stop, or too many non-finite losses. Saves whatever happens.

    Raises:
        UserError: if the last save fails.
        Exception: whatever went wrong in a step, after everything up to the step before was saved.
    """
    reason = "failed"
    try:
        with run.backbone.lend(run.config.model.checkpointing):  # type: ignore[arg-type]
            if evaluation_is_due(run):  # of a new run, or again of the step that a resumed one begins at
                evaluate(run)
            if preview_is_due(run):
                preview(run)
            while run.step < run.total_steps and not run.control.stop_requested:
                run.backbone.give_way()
                if not take_step(run):
                    if run.nonfinite >= run.config.training.max_nonfinite_steps:
                        break
                    continue
                after_step(run)
            reason = reason_to_end(run)
    finally:
        path = save_run(run, reason)
        finished = Finished(run.step, reason, path)
        run.listener(finished)
    return finished


def take_step(run: Run) -> bool:
    """Do one optimizer step. False if it was skipped because its loss or gradient was not finite."""
    training = run.config.training
    learning_rate = run.learning_rate.at(run.step)
    set_learning_rate(run.optimizer, learning_rate)
    while True:
        loss = accumulate(run)
        run.loss_scale.unscale(run.rows)
        norm = float(gradient_norm(run.rows))
        overflowed = math.isfinite(loss) and not math.isfinite(norm)
        if not (overflowed and run.loss_scale.back_off()):
            break  # in fp16 an overflow is repeated with a smaller scale, as the same step
    if not (math.isfinite(loss) and math.isfinite(norm)):
        skip_step(run, loss)
        return False
    clip_gradients(training.clip_mode, run.clip_value.at(run.step), run.rows)
    run.optimizer.step()
    run.loss_scale.grow()
    run.step += 1
    run.nonfinite = 0
    run.listener(
        Progress(
            step=run.step,
            total_steps=run.total_steps,
            epoch=run.order.epoch_of(run.draw - 1),
            loss=loss,
            learning_rate=learning_rate,
            gradient_norm=norm,
            vector_norm=float(torch.cat([v.detach().norm(dim=1) for v in run.rows]).mean()),
            images=run.samples_per_step,
            seconds=run.seconds,
        )
    )
    return True


def accumulate(run: Run) -> float:
    """Put the gradient of one step's mean loss on the rows and return the loss.

    The samples of a step are spread over micro-batches of one picture size each; every sample weighs the same, so any
    split gives the gradient of the one big batch.
    """
    run.optimizer.zero_grad(set_to_none=True)
    total = torch.zeros((), dtype=torch.float64)
    for visits in run.order.microbatches(run.draw):
        batch = training_batch(run.config, run.dataset, run.latents, visits, run.draw).to(run.backbone.device)
        losses = sample_losses(run, batch)  # (B,)
        (losses.sum() * (run.loss_scale.factor / run.samples_per_step)).backward()  # type: ignore[no-untyped-call]
        total += losses.detach().cpu().double().sum()  # Apple's GPUs have no float64
    return float(total) / run.samples_per_step


def sample_losses(run: Run, batch: Batch) -> Tensor:
    """The loss of each sample, (B,), with a graph to the rows."""
    backbone = run.backbone
    conditioning = backbone.encode_prompts(
        batch.prompts,
        {run.config.embedding.name: run.vectors},
        [batch.size] * len(batch.prompts),
        emphasis=run.config.dataset.emphasis,
    )
    alpha_bar = backbone.alphas_cumprod.to(batch.t.device)[batch.t]  # (B,)
    x_t = add_noise(batch.x_0, batch.noise, alpha_bar)  # (B, C, h, w)
    predicted = backbone.predict(x_t, batch.t, conditioning)
    return squared_error(predicted, target(batch.x_0, batch.noise, alpha_bar, backbone.prediction))


def skip_step(run: Run, loss: float) -> None:
    """Leave the vectors as they are and go on with the next draw."""
    what = "loss" if not math.isfinite(loss) else "gradient"
    run.skipped += 1
    run.nonfinite += 1
    run.listener(
        Warned(
            run.step,
            f"The {what} after step {run.step} was not finite, so the vectors were left as they were. Likely causes: "
            "fp16 (try Precision fp32 or bf16), a learning rate that is too high, or a damaged picture.",
        )
    )


def after_step(run: Run) -> None:
    """What is due after a step: evaluation, a copy, previews."""
    if evaluation_is_due(run):
        evaluate(run)
    save_asked, preview_asked = run.control.take_save(), run.control.take_preview()
    last = run.step == run.total_steps  # the last step is saved by the end of the run
    if save_asked or (_due(run.step, run.config.output.save_every_n_steps) and not last):
        save_run(run)
    if preview_asked or preview_is_due(run):
        preview(run)


def evaluation_is_due(run: Run) -> bool:
    """Whether the evaluation loss belongs to this step."""
    return run.step in (0, run.total_steps) or _due(run.step, run.config.training.evaluate_every_n_steps)


def preview_is_due(run: Run) -> bool:
    """Whether previews belong to this step."""
    config = run.config.preview
    if run.step in (0, run.total_steps):
        return config.every_n_steps > 0 and (config.at_start or run.step > 0)
    return _due(run.step, config.every_n_steps)


def evaluate(run: Run) -> None:
    """Tell the evaluation loss."""
    loss = evaluation_loss(run.backbone, run.evaluation, run.config, run.vectors)
    run.listener(Evaluated(run.step, loss))


def preview(run: Run) -> None:
    """Make the preview pictures. A failing preview is a warning and nothing more."""
    vectors = {key: value.detach().clone() for key, value in run.vectors.items()}
    try:
        paths = make_previews(run.backbone, run.previews, run.config.embedding.name, vectors, run.folder, run.step)
    except Exception as error:  # whatever a preview does, the run goes on
        run.listener(Warned(run.step, f"The preview after step {run.step} failed: {error or type(error).__name__}."))
    else:
        run.listener(Previewed(run.step, tuple(paths)))


def reason_to_end(run: Run) -> str:
    """Why the loop ended without an exception."""
    if run.nonfinite >= run.config.training.max_nonfinite_steps:
        return "not finite"
    return "finished" if run.step >= run.total_steps else "stopped"


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0
