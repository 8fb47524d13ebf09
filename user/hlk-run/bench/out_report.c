// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run bench: a file to be sent in: the machine, all figures, the model's beside. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../fail.h"
#include "out.h"

#define FLAWS	"/sys/devices/system/cpu/vulnerabilities"

static void print_processor(void)
{
	static const char *const wanted[] = { "vendor_id", "cpu family", "model",
					      "stepping", "microcode", "cpu MHz" };
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];
	size_t i;

	while (file && fgets(line, sizeof(line), file) && *line != '\n')
		for (i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
			if (!strncmp(line, wanted[i], strlen(wanted[i])))
				fputs(line, stdout);
	if (file)
		fclose(file);
}

static void print_flaw(const char *name)
{
	char path[sizeof(FLAWS) + 256], line[256] = "\n";
	FILE *file;

	snprintf(path, sizeof(path), FLAWS "/%s", name);
	file = fopen(path, "re");
	if (file && fgets(line, sizeof(line), file))
		printf("%s: %s", name, line);
	if (file)
		fclose(file);
}

static void print_machine(void)
{
	struct utsname name;
	struct dirent *entry;
	DIR *dir;

	if (!uname(&name))
		printf("%s %s %s, %ld processors\n", name.sysname, name.release, name.version,
		       sysconf(_SC_NPROCESSORS_ONLN));
	print_processor();
	dir = opendir(FLAWS);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			print_flaw(entry->d_name);
	if (dir)
		closedir(dir);
	putchar('\n');
}

/**
 * bench_report_file() - all of it in a file
 * @report: the run
 * @goal: what it reached
 * @nr_goals: how many
 * @path: the file
 *
 * Return: 0 or -1
 */
int bench_report_file(const struct bench_report *report, const struct bench_goal *goal,
		      uint32_t nr_goals, const char *path)
{
	int before = dup(STDOUT_FILENO);
	FILE *file = fopen(path, "we");
	int ret = -1;

	fflush(stdout);
	if (before >= 0 && file && dup2(fileno(file), STDOUT_FILENO) >= 0) {
		print_machine();
		bench_table(report, goal, nr_goals);
		model_beside(report);
		putchar('\n');
		model_table();
		ret = fflush(stdout) || ferror(stdout) ? -1 : 0;
		dup2(before, STDOUT_FILENO);
	}
	if (ret)
		fail_file(path, "cannot write");
	if (file)
		fclose(file);
	if (before >= 0)
		close(before);
	return ret;
}
