#!/usr/bin/perl
# A perl job: hashes of arrays, regular expressions, sorting, and one string that grows.
# Usage: words_and_strings.pl [SCALE]    SCALE 10 (the default) takes a second. Prints digests only.
use strict;
use warnings;
use Digest::MD5 qw(md5_hex);

my $scale = @ARGV ? $ARGV[0] : 10;
my $state = 12345;

sub next_number {
    $state = ($state * 1103515245 + 12345) % 2147483648;
    return $state >> 8;
}

my (%index, %count);
for my $number (1 .. 12000 * $scale) {
    my $word = join '', map { chr(97 + next_number() % 6) } 1 .. 3 + next_number() % 5;
    push @{ $index{$word} }, $number;
    $count{ length $word }++;
}
my @words = sort { @{ $index{$b} } <=> @{ $index{$a} } || $a cmp $b } keys %index;
my $lengths = join ',', map { "$_=$count{$_}" } sort keys %count;
print "hash ", scalar(@words), " $words[0] $lengths\n";

my $text = '';
for my $round (1 .. 40000 * $scale) {
    $text .= $words[ $round % @words ] . ' ' . $round . "\n";
}
print "grow ", length($text), " ", md5_hex($text), "\n";

my $matches = 0;
$matches++ while $text =~ /\b([a-f]+)\s(\d*7\d)\b/g;
(my $changed = $text) =~ s/(\w+) (\d+)/$2:$1/g;
my @lines = split /\n/, $changed;
print "regex $matches ", scalar(@lines), " ", md5_hex($changed), "\n";

delete @index{ grep { length == 4 } @words };
my @sorted = sort { $a cmp $b } map { reverse $_ } @lines[ 0 .. 2000 * $scale ];
print "after ", scalar(keys %index), " ", md5_hex(join '', @sorted), "\n";
