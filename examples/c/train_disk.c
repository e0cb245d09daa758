/* Train the net of disk.spec on a file of samples: see README.md for how to build and run it. */

#include "disk.h"

#include <stdio.h>

enum { ROWS = 1000 }; /* at most; a sample is three floats in the file: x0, x1 and the label */

struct file {
  disk_real x[ROWS * DISK_INPUT], y[ROWS];
  size_t n;
};

static struct file first, second;
static DISK_ALIGNED disk_model net;
static disk_run run;
static uint32_t order[DISK_ORDER(ROWS)];

/* Read the samples of a file; 0 where there are none. */
static size_t read_samples(const char *name, struct file *to) {
  float row[3];
  FILE *file = fopen(name, "rb");
  while (file && to->n < ROWS && fread(row, sizeof row, 1, file) == 1) {
    to->x[2 * to->n] = row[0];
    to->x[2 * to->n + 1] = row[1];
    to->y[to->n++] = row[2];
  }
  if (file) fclose(file);
  if (!to->n) fprintf(stderr, "train_disk: %s holds no samples\n", name);
  return to->n;
}

static int report(const disk_epoch *now, void *user) {
  (void)user;
  if (now->epoch % 20 == 0)
    printf("epoch %3d  loss %.5f  validation %.5f\n", (int)now->epoch, now->train.loss,
           now->validation.loss);
  return 0; /* go on */
}

int main(int count, char **names) {
  if (count != 3) return fprintf(stderr, "usage: train_disk TRAIN.bin VALIDATION.bin\n"), 2;
  if (!read_samples(names[1], &first) || !read_samples(names[2], &second)) return 1;

  disk_samples train = {first.x, first.y, first.n};
  disk_samples validation = {second.x, second.y, second.n};
  disk_init(&net, DISK_SEED);
  int ended = disk_fit(&net, &run, &train, &validation, order, DISK_EPOCHS, DISK_SEED, report,
                       NULL);

  const char *how = ended == DISK_BY_EARLY_STOPPING ? "stopped early"
                    : ended == DISK_BY_NON_FINITE   ? "a loss was not finite"
                                                    : "all of them";
  disk_figures seen = disk_evaluate(&net, &net.workspace, train.x, train.y, train.n);
  disk_figures held = disk_evaluate(&net, &net.workspace, validation.x, validation.y, validation.n);
  printf("%d epochs (%s), kept epoch %d\n", (int)run.epochs, how, (int)run.best_epoch);
  printf("accuracy %.2f%%, validation %.2f%%\n", 100 * seen.accuracy, 100 * held.accuracy);
  return 0;
}
