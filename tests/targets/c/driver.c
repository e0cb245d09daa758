/* Calls everything that an emitted header declares, and prints what comes out.

   Compiled with an emitted source and

     NAME, UPPER   disk, DISK
     HEADER        "disk.h"
     TARGET        the type of a target's numbers
     CLASSES       how many labels there are, 0 where targets are real
     SHUFFLES      whether there is an order of an epoch
     MONITORS      whether fit needs validation samples
     REDUCES       whether the rate waits for a gain
     MODES         whether training has another network than prediction

   Every array has exactly the size that the header asks for: what is read or written behind one is
   seen. The argument says how many bytes the model lies before such an end, for not every address
   is as good as another to vectors. */

#define _DEFAULT_SOURCE /* MAP_ANON */
#include HEADER

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifndef __SANITIZE_ADDRESS__
#include <sys/mman.h>
#include <unistd.h>
#endif

#define GLUED(a, b) a##b
#define JOINED(a, b) GLUED(a, b)
#define N(name) JOINED(NAME, _##name)
#define U(name) JOINED(UPPER, _##name)

typedef N(real) real;
typedef TARGET target;
enum { INPUT = U(INPUT), WIDTH = U(TARGET), OUTPUT = U(OUTPUT), SAMPLES = U(SAMPLES) };

#if MODES
#define MODE , 0
#else
#define MODE
#endif

#ifdef ZONES /* bytes between the arrays of a workspace, which nothing may touch */
#include <sanitizer/asan_interface.h>
#endif

/* Memory of exactly this size that holds no numbers: before a page that may not be touched, or as an
   address sanitizer gives it. */
static void *room(size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
  char *memory = malloc(bytes);
#else
  size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (bytes + page - 1) / page * page;
  char *memory = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory + whole, page, PROT_NONE)) exit(3);
  memory += whole - bytes;
#endif
  if (!memory) exit(3);
  return memset(memory, 0xff, bytes);
}

/* `count` numbers, aligned as one is and no better where a sanitizer places them. */
#define ARRAY(type, count) ((type *)room(((count) + 1) * sizeof(type)) + 1)

static double drawn(void) {
  static uint32_t state = 1;
  state = state * 1664525u + 1013904223u;
  return (double)(state >> 8) / 16777216.0;
}

static real *inputs(size_t n) {
  real *x = ARRAY(real, n * INPUT);
  for (size_t i = 0; i < n * INPUT; i++) x[i] = (real)(2 * drawn() - 1);
  return x;
}

static target *targets(size_t n) {
  target *y = ARRAY(target, n * WIDTH);
  for (size_t i = 0; i < n * WIDTH; i++) y[i] = (target)(int)((CLASSES ? CLASSES : 2) * drawn());
  return y;
}

static void print(const char *what, size_t n, double number) {
  printf("%s(%lu) %.17g\n", what, (unsigned long)n, number);
}

/* The sums of an array, plain and with weights: every number counts, at its own place. */
static void print_all(const char *what, size_t n, const real *numbers, size_t count) {
  double plain = 0, weighted = 0;
  for (size_t i = 0; i < count; i++) {
    plain += numbers[i];
    weighted += numbers[i] * (1 + (double)(i % 97) / 97);
  }
  print(what, n, plain / (double)count);
  print(what, n, weighted / (double)count);
}

static void print_figures(const char *what, size_t n, const N(figures) *figures) {
  const double *each = (const double *)(const void *)figures;
  for (size_t i = 0; i < sizeof *figures / sizeof *each; i++) print(what, n, each[i]);
}

static void print_parameters(const char *what, size_t n, const N(model) *m) {
  real *all = ARRAY(real, U(PARAMETERS));
  N(get)(m, all);
  print_all(what, n, all, U(PARAMETERS));
}

/* What a gradient has, and that its padding is zero: then it adds up to the same. */
static void print_gradient(const char *what, size_t n, const N(parameters) *g) {
  const real *padded = (const real *)(const void *)g;
  N(model) *as_model = room(sizeof *as_model);
  double sum = 0, sum_padded = 0;
  real *all = ARRAY(real, U(PARAMETERS));
  as_model->parameters = *g;
  N(get)(as_model, all);
  print_all(what, n, all, U(PARAMETERS));
  for (size_t i = 0; i < U(PARAMETERS); i++) sum += fabs(all[i]);
  for (size_t i = 0; i < U(PADDED); i++) sum_padded += fabs(padded[i]);
  if (!(fabs(sum - sum_padded) <= 1e-12 * sum)) exit(8);
}

static void batch(N(model) *m, size_t n) {
  real *x = inputs(n), *prediction = ARRAY(real, n * OUTPUT), *dx = ARRAY(real, n * INPUT);
  target *y = targets(n);
  N(parameters) *g = room(sizeof *g);

  N(predict)(m, &m->workspace, x, n, prediction);
  print_all("predict", n, prediction, n * OUTPUT);
  N(figures) figures = N(evaluate)(m, &m->workspace, x, y, n);
  print_figures("evaluate", n, &figures);
  print("loss", n, N(loss_and_gradients)(m, &m->workspace, x, y, n, g, NULL MODE));
  print_gradient("gradient", n, g);
  print("loss", n, N(loss_and_gradients)(m, &m->workspace, x, y, n, g, dx MODE));
  print_gradient("gradient", n, g);
  print_all("dx", n, dx, n * INPUT);
  N(update)(m, g, 0.03);
  print_parameters("update", n, m);
#if MODES
  if (n <= SAMPLES) {
    print("loss", n, N(loss_and_gradients)(m, &m->workspace, x, y, n, g, dx, 1));
    print_gradient("training_gradient", n, g);
    print_all("training_dx", n, dx, n * INPUT);
  }
#endif
  if (n <= SAMPLES) {
    print("train_step", n, N(train_step)(m, x, y, n, 0.03));
    print("train_step", n, N(train_step)(m, x, y, n, 0.03));
    print_parameters("train_step", n, m);
  }
}

#if SHUFFLES
#define ORDER order,
#else
#define ORDER
#endif

/* What follows an epoch: prints its figures; ends training in the fifth. */
static int calls;

static int called(const N(epoch) *now, void *user) {
  if (user != &calls) exit(4);
  print_figures("train", (size_t)now->epoch, &now->train);
  if (now->validated) print_figures("validation", (size_t)now->epoch, &now->validation);
#if REDUCES
  print("lr", (size_t)now->epoch, now->lr);
#else
  print("lr", (size_t)now->epoch, now->lr - N(learning_rate)(now->epoch LENGTH));
#endif
  return ++calls == 5;
}

static int stopping(const N(epoch) *now, void *run) {
  (void)now;
  ((N(run) *)run)->stop = 1;
  return 0;
}

static void training(N(model) *m) {
  size_t n = 2 * U(BATCH_SIZE) + 3, validation = SAMPLES + 2;
  size_t updates = (n + U(BATCH_SIZE) - 1) / U(BATCH_SIZE);
  real *x = inputs(n), *x_val = inputs(validation);
  target *y = targets(n), *y_val = targets(validation);
  N(run) *run = room(sizeof *run);
  N(epoch) *log = room(2 * sizeof *log);
  N(figures) sums;
  N(samples) samples = {x, y, n}, held_out = {x_val, y_val, validation};

  memset(&sums, 0, sizeof sums);
#if SHUFFLES
  uint32_t *order = ARRAY(uint32_t, U(ORDER)(n));
  N(shuffle)(order, n, 7, 3);
  for (size_t i = 0; i < n; i++) print("order", i, order[i]);
  print("train", n, (double)N(train)(m, &samples, order, 0, 1, 0.02, &sums));
  print("train", n, (double)N(train)(m, &samples, order, 1, updates, 0.02, &sums));
#endif
  print("train", n, (double)N(train)(m, &samples, NULL, 0, updates, 0.02, &sums));
  print_figures("sums", n, &sums);
  print_parameters("train", n, m);

#define DATA &samples, &held_out, ORDER
  N(begin)(m, run LENGTH);
  print("go_on", n, N(go_on)(m, run, DATA 2, 5, log, called, &calls));
  print("go_on", n, N(go_on)(m, run, DATA 3, 5, log, NULL, NULL));
  print_figures("log", n, &log[0].train);
  N(finish)(m, run);
  print_parameters("go_on", n, m);
  print("fit", n, N(fit)(m, run, DATA 3, 5, called, &calls));
  print("best", n, run->best_epoch);
  print("fit", n, N(fit)(m, run, DATA 3, 5, called, &calls));
  print("fit", n, N(fit)(m, run, DATA 3, 5, stopping, run));
  if (run->epochs != 1) exit(9);
  print("fit", n, N(fit)(m, run, DATA 1, 5, NULL, NULL));
#if !MONITORS
  print("fit", n, N(fit)(m, run, &samples, NULL, ORDER 2, 5, NULL, NULL));
#endif
  print_parameters("fit", n, m);
}

/* A sample that is not finite spoils no other, and what it leaves behind spoils nothing. */
static void poisoned(N(model) *m) {
  enum { COUNT = 9 };
  static const double BAD[] = {NAN, INFINITY, -INFINITY};
  real *x = inputs(COUNT), *sound = ARRAY(real, COUNT * OUTPUT);
  real *found = ARRAY(real, COUNT * OUTPUT), *dx = ARRAY(real, COUNT * INPUT);
  target *y = targets(COUNT);
  N(parameters) *g = room(sizeof *g), *other = room(sizeof *other);

  double loss = N(loss_and_gradients)(m, &m->workspace, x, y, COUNT, g, NULL MODE);
  N(predict)(m, &m->workspace, x, COUNT, sound);
  for (size_t bad = 0; bad < COUNT; bad++) {
    real *kept = room(INPUT * sizeof *kept), *own = x + bad * INPUT;
    memcpy(kept, own, INPUT * sizeof *kept);
    for (size_t i = 0; i < INPUT; i++) own[i] = (real)BAD[bad % 3];
    N(predict)(m, &m->workspace, x, COUNT, found);
    for (size_t i = 0; i < COUNT * OUTPUT; i++)
      if (i / OUTPUT != bad && found[i] != sound[i]) exit(5);
    N(evaluate)(m, &m->workspace, x, y, COUNT);
    N(loss_and_gradients)(m, &m->workspace, x, y, COUNT, other, dx MODE);
    memcpy(own, kept, INPUT * sizeof *kept);
    if (N(loss_and_gradients)(m, &m->workspace, x, y, COUNT, other, dx MODE) != loss) exit(6);
    if (memcmp(other, g, sizeof *g)) exit(7);
  }
}

int main(int count, char **arguments) {
  size_t before_the_end = count > 1 ? (size_t)atoi(arguments[1]) : 0;
  N(model) *m = room(sizeof *m + before_the_end);
  real *all = ARRAY(real, U(PARAMETERS)), *again = ARRAY(real, U(PARAMETERS));

  if (sizeof *m != U(MODEL_BYTES) || sizeof(N(run)) != U(RUN_BYTES)) return 2;
  N(init)(m, U(SEED));
#ifdef ZONES
#define ZONE(name) \
  ASAN_POISON_MEMORY_REGION(m->workspace.name, sizeof m->workspace.name);
  ZONES(ZONE)
#endif
  print_parameters("init", 0, m);
  batch(m, 1);
  batch(m, 7);
  batch(m, 8);
  batch(m, 9);
  batch(m, SAMPLES);
  batch(m, SAMPLES + 1);
  batch(m, 1);
  poisoned(m);
  training(m);
  N(get)(m, all);
  N(set)(m, all);
  N(get)(m, again);
  return memcmp(all, again, U(PARAMETERS) * sizeof *all) != 0;
}
